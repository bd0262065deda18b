// A small web application: a page, uploads, a WebSocket, server-sent events.
// PORT=3000 go run .; it listens on 127.0.0.1, where the mesh brings requests.
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

//go:embed page.html
var page []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, cmp.Or(os.Getenv("PORT"), "3000")); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, port string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("POST /upload", upload)
	mux.HandleFunc("GET /clock", clock)
	mux.HandleFunc("GET /echo", echo)

	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%v\n", l.Addr())
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { srv.Close() })
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// visitor is who asks.
type visitor struct {
	Address string `json:"address"`
	Region  string `json:"region"`
	Request string `json:"request"`
}

// visitorOf reads headers that the edge sets; it removes what clients claim
// in them. They can be believed because only Landfall reaches 127.0.0.1.
func visitorOf(r *http.Request) visitor {
	return visitor{
		Address: cmp.Or(r.Header.Get("X-Forwarded-For"), r.RemoteAddr),
		Region:  r.Header.Get("X-Landfall-Region"),
		Request: r.Header.Get("X-Request-Id"),
	}
}

// upload hashes the body as it comes in; nothing is kept.
func upload(w http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	size, err := io.Copy(hash, r.Body)
	if err != nil {
		log.Printf("upload: %v", err)
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(struct {
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"`
		visitor
	}{size, hex.EncodeToString(hash.Sum(nil)), visitorOf(r)})
}

// clock sends the time now and every second, until the client has gone.
func clock(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for now := time.Now(); ; {
		fmt.Fprintf(w, "data: %s\n\n", now.UTC().Format(time.RFC3339))
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case now = <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// echo says over a WebSocket who the client is, then repeats what it says.
func echo(w http.ResponseWriter, r *http.Request) {
	var upgrader websocket.Upgrader // refuses pages of other hosts
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer c.Close()
	c.SetReadLimit(1 << 16)
	for err = c.WriteJSON(visitorOf(r)); err == nil; {
		var kind int
		var said []byte
		if kind, said, err = c.ReadMessage(); err == nil {
			err = c.WriteMessage(kind, said)
		}
	}
	if !websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway) {
		log.Printf("echo: %v", err)
	}
}
