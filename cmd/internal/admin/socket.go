package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// socketName is the control socket's name in a state directory.
const socketName = "control.sock"

// ErrNotRunning says that nothing answers on a directory's control socket.
var ErrNotRunning = errors.New("no landfall runs there")

// ErrSilent says that what runs there takes a connection and does not answer.
var ErrSilent = errors.New("what runs there does not answer")

// ErrNotOwner says that the control socket is somebody else's.
var ErrNotOwner = errors.New("only the owner of the directory may ask what runs there")

// Listen opens the control socket of a state directory, for its owner alone.
// The caller holds the directory's lock, so a socket that is already there
// was left by a process that is no more.
func Listen(dir string) (net.Listener, error) { return ListenIn(dir, "unix", socketName) }

// ListenIn is Listen for a socket of another kind and name.
func ListenIn(dir, network, name string) (net.Listener, error) {
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	addr, done, err := shortAddr(dir, name)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	defer done()
	l, err := (&net.ListenConfig{Control: ownerAlone}).Listen(context.Background(), network, addr)
	if err != nil {
		return nil, fmt.Errorf("control socket %s in %s: %w", name, dir, err)
	}
	// Bound through a name that ends with this call: the owner of the
	// directory removes the socket, Close cannot.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l, nil
}

// lastAnswer is how long an answer may still take at the end.
const lastAnswer = 500 * time.Millisecond

// ownerAlone gives a socket its mode before it is bound, so that it has that
// from its first moment; a umask would be the whole process's.
func ownerAlone(_, _ string, c syscall.RawConn) (err error) {
	if outer := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }); outer != nil {
		return outer
	}
	return err
}

// Serve answers on the control socket of a state directory until ctx ends.
func Serve(ctx context.Context, dir string, h http.Handler) error {
	l, err := Listen(dir)
	if err != nil {
		return err
	}
	return ServeOn(ctx, l, h)
}

// ServeOn is Serve on a socket that Listen opened, which it closes.
func ServeOn(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		last, enough := context.WithTimeout(context.WithoutCancel(ctx), lastAnswer)
		defer enough()
		_ = srv.Shutdown(last) // who has made us end may hear so
		srv.Close()
	})
	err := srv.Serve(l)
	if !stop() {
		<-done
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// shortAddr names the socket through an open directory, because an address of
// a unix socket is 107 bytes at most (unix(7)) and a directory's path may be
// longer. done closes the directory.
func shortAddr(dir, name string) (addr string, done func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name), func() { d.Close() }, nil
}

// DialIn connects to a socket that ListenIn opened.
func DialIn(ctx context.Context, dir, network, name string) (net.Conn, error) {
	addr, done, err := shortAddr(dir, name)
	if err != nil {
		return nil, err
	}
	defer done()
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// Client asks the node that runs in a state directory.
type Client struct {
	dir  string
	http http.Client
}

// NewClient makes a Client for a state directory.
func NewClient(dir string) *Client {
	c := &Client{dir: dir}
	c.http.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return DialIn(ctx, dir, "unix", socketName)
		},
	}
	return c
}

// Overview asks for the whole network.
func (c *Client) Overview(ctx context.Context) (o Overview, err error) {
	return o, c.Get(ctx, "/overview", &o)
}

// Metrics copies the metrics of the node in the text exposition format.
func (c *Client) Metrics(ctx context.Context, w io.Writer) error {
	return c.do(ctx, http.MethodGet, "/metrics", nil, func(r io.Reader) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// How long an answer may take: to look around, and to change something, which
// may be to order certificates.
const (
	lookTime   = time.Minute
	changeTime = 20 * time.Minute
)

// Get asks for a JSON document.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lookTime, ErrSilent)
	defer cancel()
	return c.do(ctx, http.MethodGet, path, nil, func(r io.Reader) error { return json.NewDecoder(r).Decode(into) })
}

// Post sends a JSON document and reads the answer.
func (c *Client) Post(ctx context.Context, path string, what, into any) error {
	b, err := json.Marshal(what)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, changeTime, ErrSilent)
	defer cancel()
	return c.do(ctx, http.MethodPost, path, bytes.NewReader(b), func(r io.Reader) error { return json.NewDecoder(r).Decode(into) })
}

func (c *Client) do(ctx context.Context, method, path string, body io.Reader, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://landfall"+path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: %w (start it, or give its directory with --dir)", c.dir, ErrNotRunning)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w (ask as that user, or as root)", c.dir, ErrNotOwner)
	case err != nil && errors.Is(context.Cause(ctx), ErrSilent):
		return fmt.Errorf("%s: %w (its log may say why; systemctl restart landfall)", c.dir, ErrSilent)
	case err != nil:
		return fmt.Errorf("%s: %w", c.dir, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		why, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
		if err != nil {
			return fmt.Errorf("%s: answer: %w", c.dir, err)
		}
		return errors.New(strings.TrimSpace(string(why)))
	}
	if err := read(resp.Body); err != nil {
		return fmt.Errorf("%s: answer: %w", c.dir, err)
	}
	return nil
}
