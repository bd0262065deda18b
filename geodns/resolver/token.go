package resolver

// Label is the label below the domain under which tokens are asked for.
const Label = "seen"

// How long a token is. Sixteen random characters of a-z and 0-9 are 82 bits:
// never the same twice.
const (
	minToken = 16
	maxToken = 40
)

// Token is the token of a name TOKEN.seen.APEX; false if the name is none of
// these. Both are in wire form (RFC 1035, 3.1) and lower case, as zone.Name
// is. It allocates nothing.
func Token[N ~string](name, apex N) (token string, ok bool) {
	rest := len(name) - len(apex) - 1 - len(Label)
	if rest < 1 || string(name[rest+1+len(Label):]) != string(apex) || name[rest] != byte(len(Label)) || string(name[rest+1:rest+1+len(Label)]) != Label {
		return "", false
	}
	if int(name[0]) != rest-1 {
		return "", false // more labels than one
	}
	token = string(name[1:rest])
	return token, WellFormed(token)
}

// WellFormed reports whether a token is one: 16 to 40 characters of a-z and
// 0-9.
func WellFormed(token string) bool {
	if len(token) < minToken || len(token) > maxToken {
		return false
	}
	for i := range len(token) {
		if c := token[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
