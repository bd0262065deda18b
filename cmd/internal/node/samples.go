package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"landfall"
	"landfall/geodns/report"
)

const (
	// reportEvery is how often an edge reports; name servers believe a report
	// for report.Fresh.
	reportEvery = 10 * time.Second
	// reportTimeout is how long a name server may take to hear it.
	reportTimeout = reportEvery / 2
)

// reporter tells every name server what the node's edge serves, so that they
// know who has room.
type reporter struct {
	client *http.Client // the host of a URL is a node's name
	maps   func() *landfall.Map
	served func() uint64 // requests and streams since the start
	log    *slog.Logger
}

// report tells the name servers of the map until ctx ends.
func (n *Node) report(ctx context.Context) error {
	client := n.client(landfall.MeshSamples, 1)
	defer client.CloseIdleConnections()
	return reporter{client: client, maps: n.Map, log: n.log, served: func() uint64 {
		s := n.edge.Stats()
		return s.Requests + s.Streams
	}}.run(ctx)
}

func (r reporter) run(ctx context.Context) error {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	served, since := r.served(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		was, last := served, since
		served, since = r.served(), time.Now()
		r.tell(ctx, report.Report{Requests: float64(served-was) / since.Sub(last).Seconds()})
	}
}

// tell sends a report to all name servers at once, and waits for them.
func (r reporter) tell(ctx context.Context, doc report.Report) {
	body, err := report.Encode(doc)
	if err != nil {
		r.log.Error("no report", "err", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	var telling sync.WaitGroup
	defer telling.Wait()
	for peer := range r.maps().Having(landfall.RoleDNS) {
		telling.Go(func() {
			if err := r.post(ctx, peer.ID, body); err != nil {
				r.log.Debug("report not delivered", "peer", peer.ID, "err", err)
			}
		})
	}
}

func (r reporter) post(ctx context.Context, peer landfall.NodeID, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+string(peer)+report.Path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	why, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(why)))
	}
	return err
}
