package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"landfall"
)

// authority is what the certificate authority says of itself.
type authority struct {
	asked bool
	err   error
	names []string  // its own, as CAA records write them; may be none
	date  time.Time // by its clock; zero if it does not tell
	heard time.Time // by ours, when it told
}

// maxDirectory bounds what an authority may say.
const maxDirectory = 1 << 20

// fetchAuthority reads the directory of the map's authority (RFC 8555, 7.1.1).
func fetchAuthority(ctx context.Context, a landfall.ACME, now func() time.Time) authority {
	out := authority{asked: true}
	ctx, cancel := context.WithTimeout(ctx, patience/2)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots(a)}, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.EffectiveDirectory(), nil)
	if err != nil {
		out.err = err
		return out
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		out.err = err
		return out
	}
	defer resp.Body.Close()
	out.heard = now()
	out.date, _ = http.ParseTime(resp.Header.Get("Date")) // not all tell it
	out.names, out.err = readDirectory(resp.StatusCode, io.LimitReader(resp.Body, maxDirectory))
	return out
}

func readDirectory(status int, body io.Reader) ([]string, error) {
	if status != http.StatusOK {
		return nil, fmt.Errorf("it answers %d %s", status, http.StatusText(status))
	}
	var d struct {
		NewOrder string `json:"newOrder"`
		Meta     struct {
			CAA []string `json:"caaIdentities"`
		} `json:"meta"`
	}
	if err := json.NewDecoder(body).Decode(&d); err != nil {
		return nil, fmt.Errorf("it does not answer with a directory: %w", err)
	}
	if d.NewOrder == "" {
		return nil, errors.New("it does not answer with a directory: newOrder is missing")
	}
	// They are names of domains (RFC 8555, 7.1.1), and one goes into a cure.
	return slices.DeleteFunc(d.Meta.CAA, func(name string) bool { return !plainName(name) }), nil
}

// authority judges whether certificates can be ordered.
func (p *patient) authority(_ context.Context, n *notes) {
	if !p.acme.asked {
		return
	}
	directory := p.Map.ACME.EffectiveDirectory()
	if p.acme.err != nil {
		n.fail("curl -v "+directory, "the certificate authority %s is out of reach, and no certificate can be renewed: %v", directory, p.acme.err)
		return
	}
	n.ok("the certificate authority %s answers", directory)
}
