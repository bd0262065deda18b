package world

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"landfall"
)

func walkFiles(dir string, visit func(path string, info os.FileInfo)) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			visit(path, info)
		}
		return err
	})
}

// subnets are where the users of each region's edge are.
func subnets() map[landfall.NodeID]netip.Prefix {
	return map[landfall.NodeID]netip.Prefix{
		"fra1": netip.MustParsePrefix("88.0.0.0/24"),
		"nyc1": netip.MustParsePrefix(subnetAmerica),
		"sin1": netip.MustParsePrefix(subnetAsia),
	}
}

// stream is one client that listens to the flow through one edge.
type stream struct {
	body io.ReadCloser
	got  atomic.Int64 // messages
	err  atomic.Pointer[error]
	done chan struct{}
}

func (s *stream) close() { s.body.Close(); <-s.done }

// follow reads messages until the stream ends.
func (s *stream) follow() {
	defer close(s.done)
	lines := bufio.NewScanner(s.body)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) != "" {
			s.got.Add(1)
		}
	}
	err := lines.Err()
	if err == nil {
		err = io.EOF
	}
	s.err.Store(&err)
}

// openStreams opens streams to the flow on every edge, each on a connection
// of its own.
func openStreams(t *testing.T, w *World, each int) []*stream {
	t.Helper()
	var out []*stream
	for n := range w.Map().Having(landfall.RoleEdge) {
		for range each {
			c := w.client(netip.AddrPortFrom(n.Advertised[0], w.Map().Ports.EffectiveHTTPS()), nil)
			req, err := http.NewRequest(http.MethodGet, w.URL(w.chatHost())+"/stream/flows?filter="+url.QueryEscape(w.First.Tour), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth(w.First.Token, "")
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("stream through %s: %s", n.ID, resp.Status)
			}
			s := &stream{body: resp.Body, done: make(chan struct{})}
			out = append(out, s)
			go s.follow()
		}
	}
	return out
}

// users of one place load pages at a steady rate until ctx ends, each time
// asking the resolver first, as browsers do. A browser that gets no
// connection tries the next address.
type users struct {
	world    *World
	resolver netip.AddrPort
	subnet   netip.Prefix
	every    time.Duration

	asked  atomic.Int64
	mu     sync.Mutex
	served map[string]int // by the edge that served
	faults []error
}

func (u *users) run(ctx context.Context) {
	var loading sync.WaitGroup
	defer loading.Wait()
	tick := time.NewTicker(u.every)
	defer tick.Stop()
	clients := map[netip.Addr]*http.Client{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		u.asked.Add(1)
		for _, n := range u.world.Map().Nodes {
			if a := n.Advertised[0]; clients[a] == nil {
				clients[a] = u.world.client(netip.AddrPortFrom(a, u.world.Map().Ports.EffectiveHTTPS()), nil)
			}
		}
		loading.Go(func() { u.load(context.WithoutCancel(ctx), clients) })
	}
}

func (u *users) load(ctx context.Context, clients map[netip.Addr]*http.Client) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	edge, err := u.once(ctx, clients)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		u.faults = append(u.faults, err)
		return
	}
	u.served[edge]++
}

func (u *users) once(ctx context.Context, clients map[netip.Addr]*http.Client) (edge string, err error) {
	addrs, err := lookup(ctx, u.resolver, u.world.chatHost(), u.subnet)
	if err != nil {
		return "", err
	}
	for _, a := range addrs {
		c, ok := clients[a]
		if !ok {
			return "", fmt.Errorf("%s is no edge", a)
		}
		edge, err = fetch(ctx, c, u.world.URL(u.world.chatHost())+"/")
		if _, refused := errors.AsType[*net.OpError](err); !refused {
			return edge, err
		}
	}
	return "", fmt.Errorf("none of %v: %w", addrs, err)
}

func fetch(ctx context.Context, c *http.Client, url string) (edge string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "</html>")) {
		err = fmt.Errorf("%s: %.100q", resp.Status, body)
	}
	return resp.Header.Get("X-Landfall-Edge"), err
}
