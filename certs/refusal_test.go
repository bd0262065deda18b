package certs

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"landfall"
)

func TestProblemsNameHostWordsAndCure(t *testing.T) {
	const urn = "urn:ietf:params:acme:error:"
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	a := &ACME{cfg: ACMEConfig{Map: &landfall.Map{Domain: "edge.example.com"}, Policy: landfall.ACME{Directory: "https://ca.example/dir"}}}
	two := []string{"a.edge.example.com", "b.edge.example.com"}
	limited := &acme.Error{ProblemType: urn + "rateLimited", Detail: "too many certificates", Header: http.Header{"Retry-After": {"3600"}}}
	for _, c := range []struct {
		name  string
		err   error
		hosts []string
		want  []string
	}{
		{"no proof inside", &acme.AuthorizationError{Identifier: two[0], Errors: []error{&acme.Error{ProblemType: urn + "dns", Detail: "SERVFAIL"}}}, two,
			[]string{`host "a.edge.example.com": the authority refuses: "SERVFAIL" (dns): see that edge.example.com is delegated to the network's name servers, which answer for _acme-challenge.a.edge.example.com (landfall doctor)`}},
		{"no proof outside", &acme.AuthorizationError{Identifier: "app.other.org", Errors: []error{&acme.Error{ProblemType: urn + "unauthorized", Detail: "no TXT"}}}, []string{"app.other.org"},
			[]string{`host "app.other.org": the authority refuses: "no TXT" (unauthorized): in the zone of app.other.org, make _acme-challenge.app.other.org an alias: CNAME _acme-challenge.app.other.org.edge.example.com`}},
		{"no reason", &acme.AuthorizationError{Identifier: "app.other.org"}, []string{"app.other.org"}, []string{`host "app.other.org"`, "CNAME"}},
		{"two at once", errors.Join(&acme.AuthorizationError{Identifier: two[0]}, &acme.AuthorizationError{Identifier: two[1]}), two, []string{`host "a.edge`, "\n", `host "b.edge`}},
		{"limited", limited, two, []string{`the authority refuses: "too many certificates" (rateLimited): wait: it is asked again at 2026-11-22T13:00:00Z, and not before`}},
		{"parts", &acme.Error{ProblemType: urn + "malformed", Subproblems: []acme.Subproblem{
			{Type: urn + "caa", Detail: "CAA forbids", Identifier: &acme.AuthzID{Value: two[1]}},
			{Type: urn + "rejectedIdentifier", Detail: "never", Identifier: &acme.AuthzID{Value: two[0]}},
		}}, two, []string{`host "b.edge.example.com": the authority refuses: "CAA forbids" (caa): a CAA record`, "\n", `host "a.edge.example.com"`, "take the service out"}},
		{"order", &acme.OrderError{Status: "invalid", Problem: &acme.Error{ProblemType: urn + "userActionRequired", Detail: "terms", Instance: "https://ca.example/terms"}}, two[:1],
			[]string{`host "a.edge.example.com"`, `read and do what it says at "https://ca.example/terms"`}},
		{"silent order", &acme.OrderError{Status: "invalid"}, two, []string{"authority https://ca.example/dir: the order for a.edge.example.com, b.edge.example.com is invalid"}},
		{"account", &acme.Error{ProblemType: urn + "accountDoesNotExist"}, two, []string{`"accountDoesNotExist"`, "a new one is made"}},
		{"contact", &acme.Error{ProblemType: urn + "invalidContact", Detail: "no"}, two, []string{"email under [acme]"}},
		{"not a problem document", &acme.Error{StatusCode: 502, Detail: "<html>bad\ngateway"}, two, []string{`the authority refuses: "<html>bad\ngateway": it is tried again later`}},
		{"unreached", &url.Error{Op: "Get", URL: "https://ca.example/dir", Err: errors.New("connection refused")}, two, []string{"authority https://ca.example/dir: ", "connection refused", "can this server reach it"}},
		{"late", context.DeadlineExceeded, two, []string{"authority https://ca.example/dir: no answer in time"}},
	} {
		text := a.explain(c.err, c.hosts, now).Error()
		for _, want := range c.want {
			_, after, ok := strings.Cut(text, want)
			if !ok {
				t.Errorf("%s: %s\nwants %q", c.name, text, want)
			}
			text = after
		}
	}
	refusal, ok := errors.AsType[*Refusal](a.explain(limited, two, now))
	if !ok || !refusal.Again.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v", refusal)
	}
	limited.Header = http.Header{"Retry-After": {"99999999999"}}
	if refusal, ok = errors.AsType[*Refusal](a.explain(limited, two, now)); !ok || refusal.Again.Sub(now) > maxAgain || refusal.Again.Before(now) {
		t.Errorf("%+v", refusal)
	}
}

func TestChallengesAreNamedInTheZone(t *testing.T) {
	for host, want := range map[string]string{
		"edge.example.com":     "_acme-challenge.edge.example.com",
		"app.edge.example.com": "_acme-challenge.app.edge.example.com",
		"app.other.org":        "_acme-challenge.app.other.org.edge.example.com",
		"app.example.net":      "_acme-challenge.app.example.net",
	} {
		if got := ChallengeName(host, &landfall.Map{Domain: "edge.example.com", Zones: []landfall.Zone{{Name: "example.net"}}}); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
}

func TestRequestsAreRepeatedWithMeasure(t *testing.T) {
	nonce, busy, limited := &http.Response{StatusCode: 400}, &http.Response{StatusCode: 503}, &http.Response{StatusCode: 429}
	for n := 1; n <= 9; n++ {
		if d := backoff(n, nil, nonce); (d > 0) != (n < 9) || d > time.Second {
			t.Errorf("bad nonce %d: %v", n, d)
		}
		if d := backoff(n, nil, busy); (d > 0) != (n < 9) || d > 10*time.Second {
			t.Errorf("busy %d: %v", n, d)
		}
		if d := backoff(n, nil, limited); d != 0 {
			t.Errorf("limited %d: %v", n, d)
		}
	}
}
