package certs

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// How a Source asks.
const (
	retryMin = 100 * time.Millisecond // the mesh may need a moment at the start
	retryMax = 30 * time.Second
	slack    = 10 * time.Second // for dial and round trip, on top of the wait
	bodyTime = 30 * time.Second
)

// follow keeps one question open at home, and hands on what comes. version is
// what we have; empty is nothing.
func (s *Source) follow(ctx context.Context, version string, arrived chan<- *bundle) {
	defer s.http.CloseIdleConnections()
	retry, silent := retryMin, false
	for {
		b, err := s.ask(ctx, version)
		if ctx.Err() != nil {
			return
		}
		if bad := err != nil; bad != silent {
			silent = bad
			s.report(err)
		}
		if err != nil {
			s.failures.Add(1)
			wait(ctx, retry/2+rand.N(retry))
			retry = min(2*retry, retryMax)
			continue
		}
		s.heard.Store(time.Now().UnixNano())
		retry = retryMin
		if b == nil {
			continue
		}
		s.received.Add(1)
		version = b.version
		select {
		case arrived <- b:
		case <-ctx.Done():
		}
	}
}

// report says once that home fell silent, and once that it is back.
func (s *Source) report(err error) {
	if err != nil {
		s.cfg.Log.Warn("home does not tell certificates; asking on", "node", s.cfg.Self, "err", err)
		return
	}
	s.cfg.Log.Info("home tells certificates again", "node", s.cfg.Self)
}

// ask asks for another bundle than the one we have; nil if there was none
// while it waited.
func (s *Source) ask(ctx context.Context, version string) (*bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, MaxWait+slack)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://certs/certs?after="+url.QueryEscape(version), nil)
	if err != nil {
		return nil, err
	}
	res, err := s.http.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("ask for certificates: %w", err)
	}
	defer res.Body.Close()
	late := time.AfterFunc(bodyTime, cancel)
	defer late.Stop()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxBundle+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask for certificates: %w", err)
	case res.StatusCode == http.StatusNoContent:
		return nil, nil
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("ask for certificates: home refuses: %s: %.200q", res.Status, strings.TrimSpace(string(b)))
	case len(b) > maxBundle:
		return nil, fmt.Errorf("ask for certificates: more than %d bytes", maxBundle)
	}
	out, err := s.open(b)
	if err != nil {
		return nil, fmt.Errorf("certificates from home: %w", err)
	}
	if out.version == version {
		return nil, fmt.Errorf("certificates from home: version %s again, which we have", version)
	}
	return out, nil
}

// wait waits, unless ctx ends before.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
