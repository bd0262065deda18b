package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// The arguments that make this program the internet between servers, the
// application behind an edge, and its users.
const (
	meshRouter = "mesh-router"
	meshApp    = "mesh-app"
	meshUsers  = "mesh-users"
)

const (
	usersSockets  = 1000
	usersSpeak    = 2 * time.Second // each WebSocket says something once in so long
	usersEvery    = 2 * time.Millisecond
	usersPatience = 10 * time.Second
	usersConns    = 8 // of HTTP/2, which the requests share
)

// serveApp is the application: a page and an echo, at a port of loopback.
func serveApp(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s: want ADDR", meshApp)
	}
	var up websocket.Upgrader
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here\n") })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, b, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, b) != nil {
				return
			}
		}
	})
	srv := &http.Server{Addr: args[0], Handler: mux, ReadHeaderTimeout: usersPatience}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// users are those of an application, at one edge.
type users struct {
	edge, host string

	mu  sync.Mutex
	log *bufio.Writer
}

// The kinds of lines in the users' log: what, when it was sent (µs of the Unix
// clock), how long its answer took (µs), and what went wrong.
const (
	didRequest = "request"
	didMessage = "message"
	didOpen    = "open"
	didDrop    = "drop"
)

// serveUsers makes load until it is told to end: its arguments are the edge's
// address, the name to ask for, and the file for what became of everything.
func serveUsers(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%s: want EDGE HOST FILE", meshUsers)
	}
	f, err := os.Create(args[2])
	if err != nil {
		return err
	}
	u := &users{edge: args[0], host: args[1], log: bufio.NewWriterSize(f, 1<<20)}
	var all sync.WaitGroup
	for i := range usersSockets {
		all.Go(func() {
			if pause(ctx, time.Duration(i)*5*time.Millisecond) == nil { // not all at once
				u.talk(ctx)
			}
		})
	}
	all.Go(func() { u.ask(ctx) })
	<-ctx.Done()
	all.Wait()
	return errors.Join(u.log.Flush(), f.Close())
}

func (u *users) note(what string, sent time.Time, err error) {
	took, why := time.Since(sent), ""
	if err != nil {
		why = strconv.Quote(err.Error())
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	fmt.Fprintln(u.log, what, sent.UnixMicro(), took.Microseconds(), why)
}

func (u *users) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, u.edge)
}

// talk keeps one WebSocket, and opens another when that is lost.
func (u *users) talk(ctx context.Context) {
	d := websocket.Dialer{NetDialContext: u.dial, TLSClientConfig: &tls.Config{ServerName: u.host}, HandshakeTimeout: usersPatience}
	for ctx.Err() == nil {
		start := time.Now()
		c, _, err := d.DialContext(ctx, "wss://"+u.host+"/echo", nil)
		if ctx.Err() != nil {
			return
		}
		if u.note(didOpen, start, err); err != nil {
			_ = pause(ctx, time.Second) // its end ends the loop
			continue
		}
		start = time.Now()
		stop := context.AfterFunc(ctx, func() { c.Close() })
		if err := u.converse(ctx, c); ctx.Err() == nil {
			u.note(didDrop, start, err)
		}
		stop()
		c.Close()
	}
}

// converse says something now and then and waits for it to come back.
func (u *users) converse(ctx context.Context, c *websocket.Conn) error {
	for {
		if err := pause(ctx, usersSpeak/2+rand.N(usersSpeak)); err != nil {
			return err
		}
		sent := time.Now()
		if err := c.SetReadDeadline(sent.Add(usersPatience)); err != nil {
			return err
		}
		err := c.WriteMessage(websocket.TextMessage, []byte("hello"))
		if err == nil {
			_, _, err = c.ReadMessage()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if u.note(didMessage, sent, err); err != nil {
			return err
		}
	}
}

// ask loads pages at a steady rate.
func (u *users) ask(ctx context.Context) {
	var clients []*http.Client
	for range usersConns {
		clients = append(clients, &http.Client{Timeout: usersPatience, Transport: &http.Transport{
			DialContext: u.dial, TLSClientConfig: &tls.Config{ServerName: u.host}, ForceAttemptHTTP2: true,
		}})
	}
	var under sync.WaitGroup
	defer under.Wait()
	tick := time.NewTicker(usersEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			under.Go(func() {
				sent := time.Now()
				err := u.load(ctx, clients[i%len(clients)])
				if ctx.Err() == nil {
					u.note(didRequest, sent, err)
				}
			})
		}
	}
}

func (u *users) load(ctx context.Context, c *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+u.host+"/", nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
