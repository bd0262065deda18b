package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/geodns/report"
)

// twoServers is a network of one edge and two name servers, and what each of
// these is told; "deaf" takes connections and never answers.
func twoServers(t *testing.T) (m *landfall.Map, client *http.Client, hears *report.Book) {
	m = &landfall.Map{Serial: 1, Network: "test", Nodes: []landfall.Node{
		{ID: "edge1", Roles: []landfall.Role{landfall.RoleEdge}},
		{ID: "deaf", Roles: []landfall.Role{landfall.RoleDNS}},
		{ID: "hears", Roles: []landfall.Role{landfall.RoleDNS}},
	}}
	hears = report.New(report.Config{Peer: func(*http.Request) (landfall.NodeID, bool) { return "edge1", true }})
	hears.SetMap(m)
	door := newDoor(t)
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := ServeHTTP(ctx, door, hears.Handler(), patience); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	dial := door.client().Transport.(*http.Transport).DialContext
	client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == "deaf:80" {
			near, far := net.Pipe()
			serving.Go(func() { <-t.Context().Done(); far.Close() })
			return near, nil
		}
		return dial(ctx, network, address)
	}}}
	t.Cleanup(func() {
		stop()
		client.CloseIdleConnections()
		serving.Wait()
	})
	return m, client, hears
}

func TestEdgeTellsNameServersWhatItServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, client, hears := twoServers(t)
		var served atomic.Uint64
		ctx, stop := context.WithCancel(t.Context())
		r := reporter{client: client, maps: func() *landfall.Map { return m }, served: served.Load, log: slog.New(slog.DiscardHandler)}
		ended := make(chan error, 1)
		go func() { ended <- r.run(ctx) }()

		synctest.Wait()
		served.Store(5000) // in ten seconds
		time.Sleep(reportEvery + reportTimeout + time.Second)
		if got := hears.Stats().Requests["edge1"]; got != 500 {
			t.Errorf("told of %g requests a second, want 500", got)
		}
		if d := hears.Demand(time.Now()); d < 500/1.1 || d > 500*1.1 {
			t.Errorf("a demand of %g, want about 500", d)
		}
		time.Sleep(6 * reportEvery)
		if n := hears.Stats().Reports; n != 7 {
			t.Errorf("%d reports beside a name server that does not answer, want 7", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		time.Sleep(report.Fresh)
		if d := hears.Demand(time.Now()); d != 0 {
			t.Errorf("a demand of %g when no edge reports", d)
		}
	})
}

func TestReporterTellsWhyItWasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, client, hears := twoServers(t)
		m = m.Clone()
		m.Nodes[0].State = landfall.Gone
		hears.SetMap(m)
		r := reporter{client: client}
		err := r.post(t.Context(), "hears", []byte(`{"requests":1}`))
		if err == nil || err.Error() != "403 Forbidden: only edges of the map report" {
			t.Errorf("got %v", err)
		}
	})
}
