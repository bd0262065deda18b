package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"landfall"
	"landfall/geodns/health"
)

// votesEvery is how often a name server asks the others what they see, and
// votesPatience how long it waits for one to answer. Who takes longer holds up
// nobody else.
const (
	votesEvery    = 500 * time.Millisecond
	votesPatience = 2 * time.Second
)

// maxVotes bounds what another name server may answer.
const maxVotes = 1 << 20

// serveVotes tells peers what this name server sees.
func (n *Node) serveVotes(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(n.dns.prober.Votes()); err != nil {
		n.log.Debug("votes not delivered", "err", err)
	}
}

// exchangeVotes asks every other name server for its votes until ctx ends.
func (n *Node) exchangeVotes(ctx context.Context) error {
	client := n.client(landfall.MeshProbes, 1)
	defer client.CloseIdleConnections()
	var asking sync.WaitGroup
	defer asking.Wait()
	var busy sync.Map // peers that are being asked
	tick := time.NewTicker(votesEvery)
	defer tick.Stop()
	for {
		for peer := range n.Map().Having(landfall.RoleDNS) {
			if peer.ID == n.cfg.Self {
				continue
			}
			if _, asked := busy.LoadOrStore(peer.ID, true); !asked {
				asking.Go(func() {
					defer busy.Delete(peer.ID)
					n.askVotes(ctx, client, peer.ID)
				})
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (n *Node) askVotes(ctx context.Context, client *http.Client, peer landfall.NodeID) {
	ctx, cancel := context.WithTimeout(ctx, votesPatience)
	defer cancel()
	var said json.RawMessage
	err := ask(ctx, client, peer, "/votes", maxVotes, &said)
	var votes health.Votes
	if err == nil {
		votes, err = health.ParseVotes(said)
	}
	if err != nil {
		n.log.Debug("no votes", "peer", peer, "err", err)
		return
	}
	n.dns.prober.Hear(peer, votes)
}

// client speaks HTTP with one service of every node on the mesh; the host of
// a URL is the node's name.
func (n *Node) client(service landfall.MeshService, idle int) *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: idle,
		DisableKeepAlives:   idle == 0,
		IdleConnTimeout:     time.Minute,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return n.dialService(ctx, landfall.NodeID(host), service)
		},
	}}
}

// ask gets a JSON document of limited size from a node.
func ask(ctx context.Context, client *http.Client, peer landfall.NodeID, path string, limit int64, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+string(peer)+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s: %s", peer, path, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if err != nil {
		return fmt.Errorf("%s%s: %w", peer, path, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s%s: %w", peer, path, err)
	}
	return nil
}
