package forward

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"strings"
	"testing"

	"landfall"
)

func TestOriginHearsTheTruthAboutTheClient(t *testing.T) {
	in := httptest.NewRequest("GET", "https://chat.landfall.test:8443/", nil)
	in.Host, in.ProtoMajor, in.ProtoMinor, in.TLS = "chat.landfall.test:8443", 2, 0, new(tls.ConnectionState)
	for _, forged := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Port", "X_Forwarded_For", "X-Forwarded_For", "X-Real-Ip", "X-Landfall-Region", "X_landfall_region", "True-Client-Ip", "x_request_id"} {
		in.Header[forged] = []string{"forged"}
	}
	in.Header.Set("Via", "1.0 cache")
	in.Header.Set("Accept", "text/html")
	at := landfall.Location{Known: true, Country: "US", Continent: "NA"}
	p := &httputil.ProxyRequest{In: in, Out: in.Clone(t.Context())}
	describe(p, "id1", "nyc1", netip.MustParseAddr("2001:db8::7"), at)
	want := http.Header{
		"X-Forwarded-For":   {"2001:db8::7"},
		"X-Forwarded-Host":  {"chat.landfall.test:8443"},
		"X-Forwarded-Proto": {"https"},
		"Forwarded":         {`for="[2001:db8::7]";host="chat.landfall.test:8443";proto=https;by=_nyc1`},
		"X-Request-Id":      {"id1"},
		"X-Landfall-Region": {"continent=NA, country=US"},
		"Via":               {"1.0 cache, 2.0 nyc1"},
		"Accept":            {"text/html"},
	}
	if got := fmt.Sprint(p.Out.Header); got != fmt.Sprint(want) {
		t.Errorf("origin hears\n%s\nwant\n%s", got, fmt.Sprint(want))
	}
}

func TestClaimsOfClientsAreRemoved(t *testing.T) {
	for _, name := range []string{
		"CF-Connecting-IP", "CF-Connecting-IPv6", "CF-Visitor", "Fastly-Client-IP", "True-Client-IP", "X-Real-IP", "X-Client-IP",
		"X-Cluster-Client-IP", "X-Original-Forwarded-For", "X-Envoy-External-Address", "X-ProxyUser-Ip", "Forwarded-For",
		"X-Forwarded", "X-Forwarded-Server", "X-Scheme", "Front-End-Https", "Proxy", "X-Original-URL", "X-Rewrite-URL",
		"X_Rewrite_URL", "client_ip", "x-landfall-region", "X_Forwarded-for",
	} {
		if !claims(name) {
			t.Errorf("%s passes", name)
		}
	}
	for _, name := range []string{"Accept", "Authorization", "X-Requested-With", "X-Api-Key", "Origin", "Cookie", "Cf", "Proxy-Status", "X-Http-Method-Override", "Traceparent"} {
		if claims(name) {
			t.Errorf("%s is removed", name)
		}
	}
}

func TestTrailersDoNotPass(t *testing.T) {
	var seen *http.Request
	inWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		seen = r
	}), func(t *testing.T, w *world) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://chat.landfall.test/", io.MultiReader(strings.NewReader("body")))
		if err != nil {
			t.Fatal(err)
		}
		req.Trailer = http.Header{"X-Forwarded-For": {"192.0.2.99"}}
		res, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if r := seen; len(r.Trailer) != 0 || r.Header.Get("Trailer") != "" {
			t.Errorf("origin saw the trailers %v", r.Trailer)
		}
	})
}

func TestUnknownIsLeftUnsaid(t *testing.T) {
	in := httptest.NewRequest("GET", "http://chat.landfall.test/", nil)
	p := &httputil.ProxyRequest{In: in, Out: in.Clone(t.Context())}
	describe(p, "id1", "nyc1", netip.Addr{}, landfall.Location{})
	for _, name := range []string{"X-Forwarded-For", headerRegion} {
		if v, ok := p.Out.Header[name]; ok {
			t.Errorf("%s: %q", name, v)
		}
	}
	if got := p.Out.Header.Get("Forwarded"); got != "for=unknown;host=chat.landfall.test;proto=http;by=_nyc1" {
		t.Errorf("Forwarded: %s", got)
	}
}

func TestRequestIDs(t *testing.T) {
	for _, c := range []struct {
		ids  []string
		keep bool
	}{
		{[]string{"0b7c1d2e-8a31-4c5f"}, true},
		{[]string{"Root=1-67891233-abcdef012345678912345678"}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{"a", "b"}, false},
		{[]string{"a b"}, false},
		{[]string{"a\nb"}, false},
		{[]string{`"quoted"`}, false},
		{[]string{"é"}, false},
		{[]string{strings.Repeat("a", maxRequestID)}, true},
		{[]string{strings.Repeat("a", maxRequestID+1)}, false},
	} {
		got := RequestID(http.Header{headerID: c.ids})
		if kept := len(c.ids) == 1 && got == c.ids[0]; kept != c.keep || !validID(got) {
			t.Errorf("%q gave %q", c.ids, got)
		}
	}
}

func TestClientAddr(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1:80":            "192.0.2.1",
		"[::ffff:192.0.2.1]:80":   "192.0.2.1",
		"[fe80::1%eth0]:80":       "fe80::1",
		"[2001:db8::1]:80":        "2001:db8::1",
		"pipe":                    "",
		"chat.landfall.test:8443": "",
	} {
		got, ok := ClientAddr(in)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("ClientAddr(%q) = %v, %v", in, got, ok)
		}
	}
}

func FuzzRequestID(f *testing.F) {
	for _, s := range []string{"", "abc", "a b", "a\r\nX: y", "\x00", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		got := RequestID(http.Header{headerID: {id}})
		if len(got) == 0 || len(got) > maxRequestID {
			t.Fatalf("%q gave an id of %d bytes", id, len(got))
		}
		for _, b := range []byte(got) {
			if b <= ' ' || b >= 0x7f || b == '"' || b == ',' || b == ';' {
				t.Fatalf("%q gave %q", id, got)
			}
		}
	})
}

// Whatever a client calls the host, the element keeps its four pairs.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"chat.landfall.test", "a:1", `a";for=1`, `a\`, "a,b", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		v := forwarded(netip.MustParseAddr("192.0.2.1"), host, "https", "nyc1")
		rest, ok := strings.CutPrefix(v, "for=192.0.2.1;host=")
		if !ok {
			t.Fatalf("%q gave %q", host, v)
		}
		back, rest := unquote(rest)
		if back != host || rest != ";proto=https;by=_nyc1" {
			t.Fatalf("%q came back as %q, with %q after it", host, back, rest)
		}
	})
}

// unquote reads a token or quoted-string (RFC 9110, 5.6.4) from the front.
func unquote(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		i := strings.IndexAny(s, `;, "`)
		return s[:i], s[i:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
			b.WriteByte(s[i])
		case '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return "", s
}
