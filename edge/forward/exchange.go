package forward

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"sync"

	"landfall"
)

// proxy is what all exchanges of one Forwarder or Upstreams share.
type proxy struct {
	self    landfall.NodeID
	log     *slog.Logger
	quiet   *log.Logger // ReverseProxy's own words, which we say better
	dial    Fault       // whose fault it is when a target cannot be dialled
	buffers buffers
	tally   tally
}

func (p *proxy) init(self landfall.NodeID, l *slog.Logger, dial Fault) {
	p.self, p.log, p.dial = self, l, dial
	p.quiet = log.New(io.Discard, "", 0)
	p.buffers.pool.New = func() any { return new(make([]byte, 32<<10)) }
}

// retryAfter is in seconds, what a dark region or a restart takes.
const retryAfter = "5"

// exchange is one request and its answer on their way.
type exchange struct {
	*proxy
	id      string
	edge    bool // the client is outside: say who we are
	goodbye bool

	service, upstream string // at home: for the log

	rewrite func(*httputil.ProxyRequest)
	carry   func(*http.Request) (*http.Response, error)

	up     *upload
	down   *download
	sip    *sip
	failed bool // fail has counted it
	open   bool // it was upgraded, and is counted as open
}

// RoundTrip implements http.RoundTripper.
func (x *exchange) RoundTrip(out *http.Request) (*http.Response, error) { return x.carry(out) }

func (x *exchange) serve(w http.ResponseWriter, r *http.Request) {
	x.tally.requests.Add(1)
	x.tally.open.Add(1)
	if x.up = newUpload(w, r, func() { x.tally.slowUp.Add(1) }); x.up != nil {
		r = r.WithContext(r.Context()) // net/http knows by the Body of its own whether the client still waits to send it
		r.Body = x.up
	}
	x.sip = newSip(w, func() { x.tally.slowDown.Add(1) })
	whole := false
	defer func() { x.end(r.Context(), whole) }()
	rp := httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		Transport:      x,
		FlushInterval:  -1, // at once: a byte that waits may be half a character or a whole event
		ErrorLog:       x.quiet,
		BufferPool:     &x.buffers,
		ModifyResponse: x.answered,
		ErrorHandler:   x.fail,
	}
	rp.ServeHTTP(x.sip, r)
	whole = x.sip.err == nil
}

// answered sees the head of the answer before the client does.
func (x *exchange) answered(res *http.Response) error {
	x.tally.status(res.StatusCode)
	if x.edge {
		res.Header.Set(headerID, x.id)
		res.Header.Set(headerEdge, string(x.self))
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		x.open = true
		x.tally.upgraded.Add(1)
		return nil
	}
	if x.goodbye {
		res.Header.Set("Connection", "close")
	}
	x.down = &download{ReadCloser: res.Body}
	res.Body = x.down
	return nil
}

// fail answers for an origin that has not.
func (x *exchange) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := judge(r.Context(), err, x.up, x.dial, r.Host)
	x.blame(f)
	if f.status == 0 {
		panic(http.ErrAbortHandler)
	}
	x.tally.status(f.status)
	if x.goodbye || f.fault == Client {
		w.Header().Set("Connection", "close")
	}
	if f.unsent {
		w.Header().Set("Retry-After", retryAfter)
	}
	Answer{Status: f.status, Say: f.say, Fault: f.fault, Node: x.self, ID: x.id}.WriteTo(w, r)
}

// end closes the books, also after a panic of ReverseProxy's.
func (x *exchange) end(ctx context.Context, whole bool) {
	x.tally.open.Add(-1)
	x.up.end()
	x.sip.fuse.end()
	if x.open {
		x.tally.upgraded.Add(-1)
	}
	if !whole && !x.failed {
		x.blame(judgeBroken(ctx, x.down.failure(), x.dial))
	}
}

func (x *exchange) blame(f failure) {
	x.failed = true
	x.tally.fault(f.fault)
	level := slog.LevelWarn
	if f.fault == Client {
		level = slog.LevelDebug
	}
	about := []any{"node", x.self, "request", x.id, "fault", f.fault, "status", f.status, "err", f.err}
	if x.service != "" {
		about = append(about, "service", x.service, "upstream", x.upstream)
	}
	if f.cure != "" {
		about = append(about, "cure", f.cure)
	}
	x.log.Log(context.Background(), level, "request failed", about...)
}

// download is the body of an answer. It notes how reading it ends.
type download struct {
	io.ReadCloser
	err error
}

func (d *download) Read(b []byte) (int, error) {
	n, err := d.ReadCloser.Read(b)
	if err != nil && err != io.EOF {
		d.err = err
	}
	return n, err
}

func (d *download) failure() error {
	if d == nil {
		return nil
	}
	return d.err
}

// buffers lends out the memory that answers are copied through.
type buffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte { return *b.pool.Get().(*[]byte) }

// Put implements httputil.BufferPool.
func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }
