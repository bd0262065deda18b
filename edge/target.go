package edge

import (
	"net/http"
	"strings"
)

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	token   = letters + "!#$%&'*+-.^_`|~" // RFC 9110, 5.6.2

	// The octets of RFC 3986, 3.3 and 3.4, and those beside them that browsers
	// leave as they are (URL Standard, 1.3): refusing them would break honest
	// pages, and they mean nothing in a request line.
	pathOctets  = letters + "-._~%!$&'()*+,;=:@/" + "[]^|"
	queryOctets = pathOctets + "?" + "{}`\\"
)

// wellFormed admits the origin form, and the absolute form (RFC 9112, 3.2.2)
// if it is for what we are, a scheme, without user information. HTTP/2 brings
// method and target as octets without the bounds of a request line (RFC 9113,
// 8.3.1), but the origin gets them in one.
func wellFormed(r *http.Request, scheme string) bool {
	u := r.URL
	path, query, _ := strings.Cut(r.RequestURI, "?")
	return u.Opaque == "" && u.User == nil && (u.Scheme == "" || u.Scheme == scheme) &&
		r.Method != "" && within(r.Method, token) && path != "" && within(path, pathOctets) && within(query, queryOctets)
}

func within(s, octets string) bool {
	for i := range len(s) {
		if strings.IndexByte(octets, s[i]) < 0 {
			return false
		}
	}
	return true
}

// ambiguous reports whether a request had a body in chunks over HTTP/1.1,
// perhaps with a Content-Length as well (see DESIGN.md).
func ambiguous(r *http.Request) bool {
	return r.ProtoMajor == 1 && len(r.TransferEncoding) > 0
}
