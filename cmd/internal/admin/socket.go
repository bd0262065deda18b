package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"landfall"
)

// socketName is the control socket's name in a state directory.
const socketName = "control.sock"

// ErrNotRunning says that nothing answers on a directory's control socket.
var ErrNotRunning = errors.New("no landfall runs there")

// ErrNotOwner says that the control socket is somebody else's.
var ErrNotOwner = errors.New("only the owner of the directory may ask what runs there")

// Listen opens the control socket of a state directory, for its owner alone.
// The caller holds the directory's lock, so a socket that is already there
// was left by a process that is no more.
func Listen(dir string) (net.Listener, error) {
	if err := os.Remove(filepath.Join(dir, socketName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	addr, done, err := shortAddr(dir)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	defer done()
	mask := syscall.Umask(0o177) // from its first moment for its owner alone
	l, err := net.Listen("unix", addr)
	syscall.Umask(mask)
	if err != nil {
		return nil, fmt.Errorf("control socket in %s: %w", dir, err)
	}
	// Bound through a name that ends with this call: the owner of the
	// directory removes the socket, Close cannot.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l, nil
}

// shortAddr names the socket through an open directory, because an address of
// a unix socket is 107 bytes at most (unix(7)) and a directory's path may be
// longer. done closes the directory.
func shortAddr(dir string) (addr string, done func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), socketName), func() { d.Close() }, nil
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
			addr, done, err := shortAddr(dir)
			if err != nil {
				return nil, err
			}
			defer done()
			return new(net.Dialer).DialContext(ctx, "unix", addr)
		},
	}
	return c
}

// Overview asks for the whole network.
func (c *Client) Overview(ctx context.Context) (o Overview, err error) {
	return o, c.call(ctx, http.MethodGet, "/overview", nil, &o)
}

// Metrics copies the metrics of the node in the text exposition format.
func (c *Client) Metrics(ctx context.Context, w io.Writer) error {
	return c.do(ctx, http.MethodGet, "/metrics", nil, func(r io.Reader) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// Drain takes a node out of the answers, or with undo takes it in again, and
// returns the serial of the map that says so.
func (c *Client) Drain(ctx context.Context, node landfall.NodeID, undo bool) (landfall.Serial, error) {
	q := url.Values{"node": {string(node)}}
	if undo {
		q.Set("undo", "true")
	}
	var d Drained
	err := c.call(ctx, http.MethodPost, "/drain", q, &d)
	return d.Serial, err
}

func (c *Client) call(ctx context.Context, method, path string, q url.Values, into any) error {
	return c.do(ctx, method, path, q, func(r io.Reader) error { return json.NewDecoder(r).Decode(into) })
}

func (c *Client) do(ctx context.Context, method, path string, q url.Values, read func(io.Reader) error) error {
	u := url.URL{Scheme: "http", Host: "landfall", Path: path, RawQuery: q.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: %w (start it, or give its directory with --dir)", c.dir, ErrNotRunning)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w (ask as that user, or as root)", c.dir, ErrNotOwner)
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
