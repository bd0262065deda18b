package forward

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"landfall"
)

var errNoTarget = errors.New("no origin in the map")

// classOf tells interactive requests from others as far as their head says:
// upgrades, and streams of events.
func classOf(h http.Header) landfall.Class {
	if h.Get("Upgrade") != "" || strings.Contains(h.Get("Accept"), "text/event-stream") {
		return landfall.Interactive
	}
	return landfall.Normal
}

// roundTrip sends the request to the first target that can be dialled, and a
// second time where that does no harm.
func (f *Forwarder) roundTrip(out *http.Request, targets []landfall.Target, class landfall.Class) (*http.Response, error) {
	out = out.WithContext(context.WithValue(out.Context(), asker{}, out.Context()))
	links := f.order(targets, class)
	err := error(&dialError{"home", errNoTarget})
	again := replayable(out)
	for len(links) > 0 {
		l := links[0]
		out.URL.Scheme, out.URL.Host = "http", string(l.target.Service)+"."+string(l.target.Node)
		var res *http.Response
		if res, err = l.roundTrip(out); err == nil {
			l.works()
			return res, nil
		}
		_, unsent := errors.AsType[*dialError](err)
		switch {
		case out.Context().Err() != nil:
			return nil, err
		case unsent:
			links = links[1:]
		case again && !timedOut(err):
			again = false
		default:
			return nil, err
		}
		if len(links) > 0 {
			f.proxy.tally.retries.Add(1)
			out = out.Clone(out.Context()) // the failed attempt may still be looking at the old one
		}
	}
	return nil, err
}

// order puts the targets that the last dial did not reach at the end.
func (f *Forwarder) order(targets []landfall.Target, class landfall.Class) []*link {
	all := *f.links.Load()
	links := make([]*link, 0, len(targets))
	for _, t := range targets {
		t.Class = class
		if l, ok := all[t]; ok {
			links = append(links, l)
		}
	}
	slices.SortStableFunc(links, func(a, b *link) int {
		return cmp.Compare(min(a.failing.Load(), 1), min(b.failing.Load(), 1))
	})
	return links
}

// replayable reports whether a request may be sent twice: its method is
// idempotent (RFC 9110, 9.2.2) and it has no body that is already gone.
func replayable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return r.Body == nil || r.Body == http.NoBody
	}
	return false
}

func timedOut(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded)
}
