package tunnel

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net/netip"
	"strings"
	"testing"
)

func example() Header {
	return Header{
		Client: netip.MustParseAddrPort("192.0.2.7:50000"), Edge: netip.MustParseAddrPort("198.51.100.1:443"),
		Host: "db.landfall.test", ALPN: "postgresql", ID: "abc", TLS: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256",
	}
}

// Octet by octet after proxy-protocol.txt, 2.2.
func TestHeaderOnTheWire(t *testing.T) {
	want := "0d0a0d0a000d0a515549540a" + "21" + "11" + "005d" + // signature, version and command, TCP over IPv4, length
		"c0000207" + "c6336401" + "c350" + "01bb" +
		"01000a" + hex.EncodeToString([]byte("postgresql")) +
		"020010" + hex.EncodeToString([]byte("db.landfall.test")) +
		"050003" + hex.EncodeToString([]byte("abc")) +
		"200028" + "01" + "00000001" + // over TLS, no certificate of the client
		"210007" + hex.EncodeToString([]byte("TLSv1.3")) +
		"230016" + hex.EncodeToString([]byte("TLS_AES_128_GCM_SHA256"))
	if got := hex.EncodeToString(example().Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestHeaderComesBack(t *testing.T) {
	long := example()
	long.Host, long.ALPN, long.ID = strings.Repeat("h", MaxHost), strings.Repeat("a", maxALPN), strings.Repeat("i", maxID)
	six := example()
	six.Client, six.Edge = netip.MustParseAddrPort("[2001:db8::7]:1"), netip.MustParseAddrPort("[2001:db8::1]:65535")
	mixed := example()
	mixed.Edge = six.Edge
	mapped := example()
	mapped.Client = netip.MustParseAddrPort("[::ffff:192.0.2.7]:50000")
	for name, h := range map[string]Header{"usual": example(), "longest": long, "IPv6": six, "of two families": mixed, "empty": {}, "mapped": mapped} {
		wire := h.Append(nil)
		r := bytes.NewReader(append(wire, "GET"...))
		got, err := ReadHeader(r)
		if name == "mapped" {
			h = example()
		}
		if err != nil || got != h {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "GET" {
			t.Errorf("%s: %q is left of GET", name, rest)
		}
	}
}

func TestDescribe(t *testing.T) {
	var h Header
	h.Describe(tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, NegotiatedProtocol: "mqtt"})
	if h != (Header{ALPN: "mqtt", TLS: "TLSv1.2", Cipher: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}) {
		t.Errorf("%+v", h)
	}
}

func TestStrangeHeadersAreRefused(t *testing.T) {
	good := example().Append(nil)
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], to)
		return b
	}
	with := func(field ...byte) []byte { return append(change(14, 0, byte(0x5d+len(field))), field...) }
	for name, b := range map[string][]byte{
		"version 1":             []byte("PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n"),
		"HTTP":                  []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"version 3":             change(12, 0x31),
		"command LOCAL":         change(12, 0x20),
		"datagrams":             change(13, 0x12),
		"UNIX sockets":          change(13, 0x31),
		"too long":              change(14, 0xff, 0xff),
		"ends in the signature": good[:5],
		"ends in the addresses": change(14, 0, 11)[:27],
		"ends in a field":       change(14, 0, 14)[:30],
		"ends early":            good[:len(good)-1],
		"a value too short":     with(0x01, 0, 9, 'x'),
		"a field twice":         with(0x02, 0, 1, 'x'),
		"TLS twice":             with(0x20, 0, 5, 1, 0, 0, 0, 1),
		"an empty field":        with(0x05, 0, 0),
	} {
		if h, err := ReadHeader(bytes.NewReader(b)); err == nil || h != (Header{}) {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
	for name, b := range map[string][]byte{
		"a field of the future": with(0xe0, 0, 1, 'x'),
		"a checksum":            with(0x03, 0, 4, 1, 2, 3, 4), // may be passed over (2.2.3)
	} {
		if h, err := ReadHeader(bytes.NewReader(b)); err != nil || h != example() {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}

// What is read is written again in the same words, and nothing is read that
// an edge could not have meant.
func FuzzReadHeader(f *testing.F) {
	f.Add(example().Append(nil))
	f.Add(Header{}.Append(nil))
	f.Add(append(Header{Host: "x.test"}.Append(nil), "more"...))
	f.Add([]byte(signature + "\x21\x21\x00\x24"))
	f.Add([]byte(signature + "\x21\x00\x00\x08\x20\x00\x05\x01\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadHeader(bytes.NewReader(b))
		if err != nil {
			return
		}
		if len(h.Host) > MaxHost || len(h.ID) > maxID || h.Client.IsValid() != h.Edge.IsValid() {
			t.Errorf("%+v", h)
		}
		again, err := ReadHeader(bytes.NewReader(h.Append(nil)))
		if err != nil || again != h {
			t.Errorf("%+v became %+v, %v", h, again, err)
		}
	})
}
