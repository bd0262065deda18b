package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

type addr string

func (addr) Network() string  { return "mesh" }
func (a addr) String() string { return string(a) }

// door is a listener whose connections come through pipes.
type door struct {
	conns chan net.Conn
	shut  context.Context
	close context.CancelFunc
}

func newDoor(t *testing.T) *door {
	d := &door{conns: make(chan net.Conn)}
	d.shut, d.close = context.WithCancel(t.Context())
	return d
}

func (d *door) Addr() net.Addr { return addr("door") }
func (d *door) Close() error   { d.close(); return nil }

func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.shut.Done():
		return nil, net.ErrClosed
	}
}

func (d *door) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case d.conns <- far:
			return near, nil
		case <-d.shut.Done():
			return nil, net.ErrClosed
		}
	}}}
}

func TestServingEndsWithThoseWhoWaitAndFinishesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		mux := http.NewServeMux()
		mux.Handle("/wait", ending(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		})))
		mux.HandleFunc("/work", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(1100 * time.Millisecond) // beyond the stop, within the grace
		})
		d := newDoor(t)
		ended := make(chan error, 1)
		go func() { ended <- ServeHTTP(ctx, d, mux, patience) }()
		time.AfterFunc(time.Second, stop)
		client := d.client()
		answers := make(chan int, 2)
		for _, path := range []string{"/wait", "/work"} {
			go func() {
				resp, err := client.Get("http://x" + path)
				if err != nil {
					t.Error(err)
					answers <- 0
					return
				}
				resp.Body.Close()
				answers <- resp.StatusCode
			}()
		}
		if a, b := <-answers, <-answers; a != 503 || b != 200 {
			t.Errorf("answers %d and then %d, want 503 and then 200", a, b)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		client.CloseIdleConnections()
	})
}

func TestServingTellsOfABrokenListener(t *testing.T) {
	d := newDoor(t)
	d.Close()
	if err := ServeHTTP(t.Context(), d, http.NotFoundHandler(), patience); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
