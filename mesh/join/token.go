package join

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"landfall"
)

// tokenPrefix tells what the line is, and which release wrote it.
const tokenPrefix = "landfall-join1:"

// Bounds of a token.
const (
	maxEndpoints = 8
	maxToken     = 4096 // bytes of its text
	maxExpiry    = 1 << 40
)

// Token is an invitation on its way to the one server that may use it. Its
// text form is a prefix and base64url of a short binary form, made by Reveal;
// whatever else prints a Token prints "landfall-join1:(private)".
type Token struct {
	Network   string
	Node      landfall.NodeID // the name that the server will have
	Key       landfall.MapKey // whose maps the server will take
	Expires   time.Time       // in whole seconds, by the control's clock
	Endpoints []string        // where the control is, HOST:PORT, best first
	Addresses []netip.Addr    // where the server is, and nowhere else; none: as the control sees it

	secret secret
}

// String keeps the secret out of logs and errors.
func (Token) String() string { return tokenPrefix + "(private)" }

// GoString keeps the secret out of %#v.
func (t Token) GoString() string { return t.String() }

// Format keeps the secret out of every other verb.
func (t Token) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

// MarshalJSON keeps the secret out of documents and of structured logs.
func (t Token) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// Reveal is the token in its text form, for the operator.
//
//	length of what follows, 2 bytes | network | node | map key, 32 | secret, 32
//	| expiry, 8 | number of endpoints, 1 | endpoints
//	[ | number of addresses, 1 | addresses ] | CRC-32C of all before, 4
//
// Names, endpoints and addresses are a byte of length and so many bytes;
// numbers are big-endian. Where there are no addresses, their number is left
// out too.
func (t Token) Reveal() string {
	b := make([]byte, 2, 256)
	b = appendText(b, t.Network)
	b = appendText(b, string(t.Node))
	b = append(b, t.Key[:]...)
	b = append(b, t.secret[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Expires.Unix()))
	b = append(b, byte(len(t.Endpoints)))
	for _, e := range t.Endpoints {
		b = appendText(b, e)
	}
	if len(t.Addresses) > 0 {
		b = append(b, byte(len(t.Addresses)))
		for _, a := range t.Addresses {
			b = appendText(b, string(a.AsSlice()))
		}
	}
	binary.BigEndian.PutUint16(b, uint16(len(b)-2+crc32.Size))
	b = binary.BigEndian.AppendUint32(b, checksum(b))
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

func appendText(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// ParseToken reads what Reveal wrote; blanks around it do not matter. Errors
// are a *Failure of kind BadToken and never repeat the token.
func ParseToken(s string) (Token, error) {
	b, err := unwrapToken(strings.TrimSpace(s))
	if err != nil {
		return Token{}, fail(BadToken, "", "join token: %w", err)
	}
	t, err := readToken(b)
	if err != nil {
		return Token{}, fail(BadToken, "", "join token: %w", err)
	}
	return t, nil
}

// Text that was copied badly is one of two things, and each has its cure.
var (
	errCut     = errors.New("it is cut off: copy it whole, to its last character")
	errChanged = errors.New("it was changed on its way: copy it again, as one line")
)

// unwrapToken returns the binary form without length and checksum.
func unwrapToken(s string) ([]byte, error) {
	text, ok := strings.CutPrefix(s, tokenPrefix)
	switch {
	case !ok && s != "" && strings.HasPrefix(tokenPrefix, s):
		return nil, errCut
	case !ok:
		return nil, fmt.Errorf("want %q and what follows it in the output of `landfall invite`", tokenPrefix)
	case len(text) > maxToken || strings.ContainsAny(text, " \t\r\n"):
		return nil, errChanged
	}
	// Text that is cut within a group of four still has its whole groups.
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		whole, broken := base64.RawURLEncoding.DecodeString(text[:len(text)/4*4])
		if broken == nil && short(whole) {
			return nil, errCut
		}
		return nil, errChanged
	}
	if short(b) {
		return nil, errCut
	}
	body, sum := b[:len(b)-crc32.Size], b[len(b)-crc32.Size:]
	if len(b) != 2+int(binary.BigEndian.Uint16(b)) || binary.BigEndian.Uint32(sum) != checksum(body) {
		return nil, errChanged
	}
	return body[2:], nil
}

// short reports whether there are fewer bytes than the first two promise.
func short(b []byte) bool {
	return len(b) < 2+crc32.Size || len(b) < 2+int(binary.BigEndian.Uint16(b))
}

// readToken reads the fields. Whoever made the checksum made them, so faults
// here are those of a program, not of copying.
func readToken(b []byte) (t Token, err error) {
	r := reader{b: b}
	t.Network = r.text()
	t.Node = landfall.NodeID(r.text())
	copy(t.Key[:], r.take(len(t.Key)))
	copy(t.secret[:], r.take(len(t.secret)))
	expiry := r.number(8)
	t.Expires = time.Unix(int64(expiry), 0).UTC()
	n := int(r.number(1))
	for range min(n, maxEndpoints) {
		t.Endpoints = append(t.Endpoints, r.text())
	}
	pinned := len(r.b) > 0
	if pinned {
		t.Addresses = r.addresses()
	}
	switch {
	case r.failed || len(r.b) > 0:
		return Token{}, errors.New("its fields do not add up: make a new one with `landfall invite`")
	case !label(t.Network):
		return Token{}, errors.New("its network has no proper name")
	case !label(string(t.Node)):
		return Token{}, errors.New("its node has no proper name")
	case t.Key == landfall.MapKey{} || t.secret == secret{}:
		return Token{}, errors.New("it holds no key")
	case expiry > maxExpiry:
		return Token{}, errors.New("its expiry is no date")
	case n == 0 || n > maxEndpoints:
		return Token{}, fmt.Errorf("it names %d places to ask, want 1 to %d", n, maxEndpoints)
	case pinned && !proper(t.Addresses):
		return Token{}, errors.New("its addresses are none of a server's")
	}
	for _, e := range t.Endpoints {
		if err := checkEndpoint(e); err != nil {
			return Token{}, err
		}
	}
	return t, nil
}

// checkEndpoint wants HOST:PORT, the host an address or a name.
func checkEndpoint(e string) error {
	host, port, err := net.SplitHostPort(e)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || len(e) > 255 {
		return fmt.Errorf("endpoint %q: want HOST:PORT such as 192.0.2.1:443", e)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	for l := range strings.SplitSeq(host, ".") {
		if !label(strings.ToLower(l)) {
			return fmt.Errorf("endpoint %q: %q is neither an address nor a name", e, host)
		}
	}
	return nil
}

// label reports whether s can be the name of a network or node, which is
// also safe as the name of a file.
func label(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 63
}

// reader takes fields off a slice; what is not there is zero, and failed.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.failed, r.b = true, nil
		return nil
	}
	var b []byte
	b, r.b = r.b[:n], r.b[n:]
	return b
}

func (r *reader) number(size int) (n uint64) {
	for _, c := range r.take(size) {
		n = n<<8 | uint64(c)
	}
	return n
}

// addresses are as many as the first byte says, to no more than there may be.
func (r *reader) addresses() (out []netip.Addr) {
	n := int(r.number(1))
	for range min(n, maxAddresses) {
		a, _ := netip.AddrFromSlice([]byte(r.text())) // the zero Addr, which is not proper
		out = append(out, a)
	}
	return out
}

// proper reports whether all addresses can be those of a server, in their one
// form, each once.
func proper(all []netip.Addr) bool {
	return len(all) > 0 && slices.Equal(all, plain(all)) &&
		!slices.ContainsFunc(all, func(a netip.Addr) bool { return classOf(a) == nowhere })
}

func (r *reader) text() string { return string(r.take(int(r.number(1)))) }
