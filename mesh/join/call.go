package join

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"

	"landfall/mesh/mapsync"
)

// How long a server waits.
const (
	dialTime   = 5 * time.Second  // for one endpoint
	helloTime  = 10 * time.Second // for its hello
	familyTime = 2 * time.Second  // for the other family, once one has answered
	joinTime   = 90 * time.Second // for the map
)

// call is a connection to the control, which has proved that it is that.
type call struct {
	conn     *tls.Conn
	in       *bufio.Reader
	endpoint string
	binding  [32]byte
	hello    hello
	heard    time.Time  // when, by our clock
	local    netip.Addr // our end; invalid if unknown
	drop     func() bool
}

// greet calls the control over IPv4 and over IPv6 at the same time, so that
// it tells our address of either family. It returns one call at least, IPv4
// first.
func greet(ctx context.Context, cfg Config) ([]*call, error) {
	families := []string{"tcp4", "tcp6"}
	calls := make([]*call, len(families))
	failed := make([][]error, len(families))
	asking, enough := context.WithCancel(ctx)
	defer enough()
	var late *time.Timer
	var first sync.Once
	var work sync.WaitGroup
	for i, family := range families {
		work.Go(func() {
			if calls[i], failed[i] = firstOf(asking, cfg, family); calls[i] != nil {
				first.Do(func() { late = time.AfterFunc(familyTime, enough) })
			}
		})
	}
	work.Wait()
	if late != nil {
		late.Stop()
	}
	var out []*call
	for _, c := range calls {
		if c != nil {
			c.drop = context.AfterFunc(ctx, func() { c.conn.NetConn().Close() })
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, foremost(append(failed[0], failed[1]...))
	}
	return out, nil
}

// hangUp ends calls.
func hangUp(calls []*call) {
	for _, c := range calls {
		c.drop()
		c.conn.Close()
	}
}

// firstOf tries the endpoints of a family in their order.
func firstOf(ctx context.Context, cfg Config, family string) (*call, []error) {
	var failed []error
	for _, e := range cfg.Token.Endpoints {
		if !within(e, family) {
			continue
		}
		c, err := dial(ctx, cfg, family, e)
		if err == nil {
			return c, nil
		}
		failed = append(failed, err)
	}
	return nil, failed
}

// within reports whether an endpoint can be reached over a family.
func within(endpoint, family string) bool {
	host, _, _ := net.SplitHostPort(endpoint)
	a, err := netip.ParseAddr(host)
	return err != nil || a.Unmap().Is4() == (family == "tcp4")
}

// dial calls one endpoint, with smaller packets if the usual ones vanish.
func dial(ctx context.Context, cfg Config, family, endpoint string) (*call, error) {
	c, err := try(ctx, cfg, family, endpoint)
	if !errors.Is(err, errSilent) || cfg.Narrow == nil {
		return c, err
	}
	cfg.Progress(fmt.Sprintf("%s takes the connection, but nothing comes back: trying smaller packets", endpoint))
	cfg.Dial = cfg.Narrow
	return try(ctx, cfg, family, endpoint)
}

// try calls one endpoint and listens to its hello.
func try(ctx context.Context, cfg Config, family, endpoint string) (_ *call, err error) {
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	raw, err := cfg.Dial(dialing, family, endpoint)
	cancel()
	if err != nil {
		return nil, fail(Unreachable, "", "%s: %w", endpoint, err)
	}
	// The certificate is nobody's: the signed hello, which covers this very
	// channel, says who is at its other end.
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{ALPN}})
	defer func() {
		if err != nil {
			raw.Close()
		}
	}()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	conn.SetDeadline(time.Now().Add(helloTime))
	if err := conn.HandshakeContext(ctx); err != nil {
		if hungUp(err) {
			return nil, errHungUp(endpoint)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, fail(Unreachable, "", "%s: %w", endpoint, errSilent)
		}
		return nil, fail(Unreachable, "", "%s: it does not take servers that join: is that the home server, and `landfall run` up there? (%w)", endpoint, err)
	}
	c := &call{conn: conn, endpoint: endpoint, local: addressOf(conn.LocalAddr())}
	if c.binding, err = binding(conn.ConnectionState()); err != nil {
		return nil, fail(Unreachable, "", "%s: something else answers there: %w", endpoint, err)
	}
	if err := c.ask(cfg); err != nil {
		return nil, err
	}
	return c, nil
}

// errSilent is a connection over which nothing comes back.
var errSilent = fmt.Errorf("it takes the connection, but nothing came back within %v: either packets are lost on the way, large ones perhaps (a path MTU problem: try `ping -M do -s 1252` from here), or something else listens there", helloTime)

// hungUp reports whether an error is the other side's silent end.
func hungUp(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

func errHungUp(endpoint string) error {
	return fail(Unreachable, "", "%s: it hung up without a word: many knock there just now, strangers perhaps: try again in a minute", endpoint)
}

// ask gets the hello and proves it.
func (c *call) ask(cfg Config) error {
	c.in = bufio.NewReader(io.LimitReader(c.conn, mapsync.MaxSize+maxRefusal))
	where := url.URL{Path: helloPath, RawQuery: url.Values{"node": {string(cfg.Token.Node)}}.Encode()}
	resp, body, err := c.exchange(http.MethodGet, where, nil, nil, maxHello)
	if hungUp(err) {
		return errHungUp(c.endpoint)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fail(Unreachable, "", "%s: %w", c.endpoint, errSilent)
	}
	if err != nil {
		return fail(Unreachable, "", "%s: %w", c.endpoint, err)
	}
	if resp.StatusCode != http.StatusOK { // nobody has proved anything yet
		return fail(Unreachable, "", "%s: it answers %d, %q", c.endpoint, resp.StatusCode, body)
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(resp.Header.Get(signatureHeader))
	if err != nil || !mapsync.VerifyHello(cfg.Token.Key, c.binding, body, signature) {
		return fail(Refused, CodeNetwork, "%s: who answers there has not the key of this token's network: the token is of another network, or somebody sits in between; nothing was changed", c.endpoint)
	}
	if c.hello, err = parseHello(body); err != nil {
		return fail(Unreachable, "", "%s: %w", c.endpoint, err)
	}
	if c.hello.Network != cfg.Token.Network || c.hello.Node != cfg.Token.Node {
		return fail(Refused, CodeNetwork, "%s: it speaks for the network %q, not %q; nothing was changed", c.endpoint, c.hello.Network, cfg.Token.Network)
	}
	c.heard = cfg.Now()
	return nil
}

// join proves the secret and gets the map.
func (c *call) join(ctx context.Context, t Token, body []byte) ([]byte, error) {
	proof := t.secret.key().prove(c.binding, c.hello.Nonce, body)
	h := http.Header{proofHeader: {base64.StdEncoding.EncodeToString(proof)}, "Content-Type": {jsonType}}
	c.conn.SetDeadline(time.Now().Add(joinTime))
	resp, answer, err := c.exchange(http.MethodPost, url.URL{Path: joinPath}, h, body, mapsync.MaxSize)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, fail(Unreachable, "", "join %s: the answer of %s was lost (%w): whether the network has taken this server in is not known: run the same command again, it does no harm", t.Node, c.endpoint, err)
	}
	if resp.StatusCode == http.StatusOK {
		return answer, nil
	}
	var r refusal
	if err := decode(answer, &r); err != nil || len(answer) > maxRefusal {
		return nil, fail(Unreachable, "", "join %s: %s answers %d, which says nothing to us: run the same command again", t.Node, c.endpoint, resp.StatusCode)
	}
	if r.Code == CodeTrouble {
		return nil, fail(Refused, r.Code, "join %s: %s", t.Node, r.Message)
	}
	return nil, fail(Refused, r.Code, "join %s: %s; nothing was changed", t.Node, r.Message)
}

// exchange is one request and its answer.
func (c *call) exchange(method string, where url.URL, h http.Header, body []byte, most int64) (*http.Response, []byte, error) {
	where.Scheme, where.Host = "https", c.endpoint
	req := &http.Request{Method: method, URL: &where, Host: c.endpoint, Header: h, ContentLength: int64(len(body))}
	if body != nil {
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	out := bufio.NewWriter(c.conn)
	if err := errors.Join(req.Write(out), out.Flush()); err != nil {
		return nil, nil, err
	}
	resp, err := http.ReadResponse(c.in, req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && int64(len(answer)) > most {
		err = fmt.Errorf("an answer of more than %d bytes", most)
	}
	return resp, answer, err
}
