package join

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"landfall"
)

// maxTalk bounds all that a stranger can say on one connection.
const maxTalk = maxRequest + 16<<10

// unprovenDelay is how long after its question a refusal of a claim without
// proof is answered: guesses are slow, and all take the same time.
const unprovenDelay = time.Second

// talk is one conversation: a hello, then at most one request to join. HTTP
// is no more than the framing of it, so there is no http.Server.
type talk struct {
	s       *Server
	conn    *tls.Conn
	in      *bufio.Reader
	from    netip.Addr
	visit   *visit
	binding [32]byte
	nonce   []byte // said in the hello; nil before
}

func newTalk(s *Server, c *tls.Conn, from netip.Addr, v *visit) (*talk, error) {
	bind, err := binding(c.ConnectionState())
	if err != nil {
		return nil, err
	}
	return &talk{s: s, conn: c, in: bufio.NewReader(io.LimitReader(c, maxTalk)), from: from, visit: v, binding: bind}, nil
}

// run answers requests until one is the last. The time for the first runs
// already.
func (t *talk) run(ctx context.Context) error {
	for {
		req, err := http.ReadRequest(t.in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		last, err := t.answer(ctx, req)
		if last || err != nil {
			return err
		}
		t.conn.SetDeadline(time.Now().Add(questionTime))
	}
}

// answer says whether the conversation is over with it.
func (t *talk) answer(ctx context.Context, req *http.Request) (last bool, err error) {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxRequest+1))
	if err != nil {
		return true, err
	}
	t.visit.heard()
	switch asked := req.Method + " " + req.URL.Path; {
	case asked == "GET "+helloPath && t.nonce == nil:
		return false, t.sayHello(ctx, landfall.NodeID(req.URL.Query().Get("node")))
	case asked == "POST "+joinPath && t.nonce != nil:
		return true, t.sayMap(ctx, body, req.Header.Get(proofHeader))
	}
	return true, t.sayNo(refuse(CodeRequest, "want GET %s and then POST %s, once", helloPath, joinPath))
}

// sayHello signs what the server needs to know, for this connection.
func (t *talk) sayHello(ctx context.Context, node landfall.NodeID) error {
	if !label(string(node)) {
		return t.sayNo(refuse(CodeRequest, "node: not a name"))
	}
	_, m, err := t.s.cfg.Book.cfg.Control.Newest(ctx)
	if err != nil {
		return t.sayNo(err)
	}
	t.nonce = make([]byte, nonceSize)
	rand.Read(t.nonce) // never fails (crypto/rand)
	body, err := json.Marshal(hello{
		Network: m.Network,
		Serial:  m.Serial,
		Node:    node,
		You:     t.from,
		Time:    t.s.cfg.Now().UTC(),
		Nonce:   t.nonce,
	})
	if err != nil {
		return err
	}
	t.s.counts.hellos.Add(1)
	signature := base64.StdEncoding.EncodeToString(t.s.cfg.Key.SignHello(t.binding, body))
	return t.say(http.StatusOK, http.Header{"Content-Type": {jsonType}, signatureHeader: {signature}}, body)
}

// sayMap admits the server, or says why not.
func (t *talk) sayMap(ctx context.Context, body []byte, proof string) error {
	heard := time.Now()
	mac, err := base64.StdEncoding.Strict().DecodeString(proof)
	if err != nil {
		return t.sayNo(refuse(CodeRequest, "%s: not base64", proofHeader))
	}
	node, doc, err := t.s.cfg.Book.admit(ctx, claim{body, mac, t.nonce, t.binding, t.from, t.visit.proved})
	if err == nil {
		t.s.counts.joined.Add(1)
		return t.say(http.StatusOK, http.Header{"Content-Type": {mapType}}, doc.Bytes)
	}
	t.s.cfg.Log.Warn("server not taken in", "peer", node, "remote", t.from, "err", err)
	if r, ok := errors.AsType[*refusal](err); ok && r.Code == CodeUnknown {
		pause(ctx, unprovenDelay-time.Since(heard))
	}
	return t.sayNo(err)
}

// sayNo tells a refusal; a fault of home's own is for home's log.
func (t *talk) sayNo(err error) error {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		t.s.cfg.Log.Error("cannot answer who wants to join", "remote", t.from, "err", err)
		r = &refusal{CodeTrouble, "the control has a fault of its own: look into its log, then join again"}
	}
	t.s.counts.refused(r.Code)
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return t.say(statusOf(r.Code), http.Header{"Content-Type": {jsonType}}, body)
}

// statusOf fits a code to HTTP (RFC 9110, 15.5); clients go by the code.
func statusOf(c Code) int {
	switch c {
	case CodeUnknown:
		return http.StatusForbidden
	case CodeUsed, CodeNetwork, CodeClock:
		return http.StatusConflict
	case CodeExpired, CodeGone:
		return http.StatusGone
	case CodeFaulty, CodeAddress:
		return http.StatusUnprocessableEntity
	case CodeTrouble:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

func (t *talk) say(status int, h http.Header, body []byte) error {
	t.conn.SetDeadline(time.Now().Add(answerTime))
	h.Set("Cache-Control", "no-store")
	resp := http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	out := bufio.NewWriter(t.conn)
	if err := resp.Write(out); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return out.Flush()
}

// addressOf is the address of a connection's end, invalid if it has none.
func addressOf(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
