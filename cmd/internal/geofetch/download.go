package geofetch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// download is what a provider sent.
type download struct {
	data         []byte // the database; nil: it is the one we have
	url          string // where it was
	etag, modify string // what to ask with the next time
}

// errNowhere: no source has the edition.
var errNowhere = errors.New("there is none")

// download asks the sources of an edition in order, the first that has it is
// taken.
func (f *Fetcher) download(ctx context.Context, e edition, had record) (download, error) {
	key, err := "", error(nil)
	if f.cfg.Provider == MaxMind {
		if key, err = f.cfg.key(); err != nil {
			return download{}, err
		}
	}
	for _, s := range f.cfg.sources(e, time.Now()) {
		d, err := f.from(ctx, e, s, had, key)
		if errors.Is(err, errNowhere) {
			f.cfg.Log.Debug("no database there", "url", s.url)
			continue
		}
		return d, err
	}
	return download{}, fmt.Errorf("%s has no edition %s there: check its name, or the base URL", f.cfg.Provider, e.name)
}

// from asks one source.
func (f *Fetcher) from(ctx context.Context, e edition, s source, had record, key string) (download, error) {
	req, err := f.request(ctx, s.url, key)
	if err != nil {
		return download{}, err
	}
	if had.URL == s.url {
		conditional(req, had)
	}
	resp, err := f.do(req)
	if err != nil {
		return download{}, err
	}
	defer resp.Body.Close()
	d := download{url: s.url, etag: resp.Header.Get("ETag"), modify: resp.Header.Get("Last-Modified")}
	if resp.StatusCode == http.StatusNotModified && had.URL == s.url {
		d.etag, d.modify = had.ETag, had.LastModified
		return d, nil
	}
	if err := status(resp, key != ""); err != nil {
		return download{}, err
	}
	sum := ""
	if d.data, sum, err = f.receive(resp, e, s); err != nil {
		return download{}, refuse("damaged", fmt.Errorf("%s: %w", s.url, err))
	}
	if s.sum == "" {
		return d, nil
	}
	return d, f.compareSum(ctx, s, key, sum)
}

// receive unpacks what is sent, and sums it up.
func (f *Fetcher) receive(resp *http.Response, e edition, s source) (data []byte, sum string, err error) {
	hash, got := sha256.New(), int64(0)
	body := &counter{from: io.TeeReader(io.LimitReader(resp.Body, f.cfg.MaxBytes+1), hash), add: func(n int) {
		got += int64(n)
		f.count(func(s *Stats) { s.Bytes += uint64(n) })
		f.cfg.Progress(e.name, got, resp.ContentLength)
	}}
	var out bytes.Buffer
	if err := unpack(&out, bufio.NewReaderSize(body, 64<<10), s.packed, f.cfg.MaxBytes); err != nil {
		return nil, "", err
	}
	_, err = io.Copy(io.Discard, body) // what follows the stream counts for the sum, too
	return out.Bytes(), hex.EncodeToString(hash.Sum(nil)), err
}

// compareSum compares with the sum that the provider publishes.
func (f *Fetcher) compareSum(ctx context.Context, s source, key, got string) error {
	req, err := f.request(ctx, s.sum, key)
	if err != nil {
		return err
	}
	resp, err := f.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := status(resp, key != ""); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("%s: %w", s.sum, err)
	}
	want, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if b, err := hex.DecodeString(want); err != nil || len(b) != sha256.Size {
		return refuse("sum", fmt.Errorf("%s: %.40q is no SHA-256 sum", s.sum, text))
	}
	if !strings.EqualFold(want, got) {
		return refuse("sum", fmt.Errorf("%s: the SHA-256 sum is %s, and %s is published: it was damaged on the way, or replaced meanwhile", s.url, got, want))
	}
	return nil
}

func (f *Fetcher) request(ctx context.Context, url, key string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "landfall")
	req.Header.Set("Accept-Encoding", "identity")
	if key != "" {
		req.SetBasicAuth(f.cfg.Account, key)
	}
	return req, nil
}

// do sends a request. The error names what was asked for and not, as the
// client's own does, the place that a redirect leads to: such addresses may be
// signed, and open to whoever reads them.
func (f *Fetcher) do(req *http.Request) (*http.Response, error) {
	resp, err := f.client.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = fmt.Errorf("%s: %w", req.URL, e.Err)
	}
	return resp, err
}

// conditional asks for what is newer only (RFC 9110, 13.1).
func conditional(req *http.Request, had record) {
	if had.ETag != "" {
		req.Header.Set("If-None-Match", had.ETag)
	}
	if had.LastModified != "" {
		req.Header.Set("If-Modified-Since", had.LastModified)
	}
}

// careful is a client that shows the licence key to the first host alone, and
// never goes from TLS to clear text.
func careful(c *http.Client) *http.Client {
	if c == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout = time.Minute
		c = &http.Client{Transport: t}
	}
	own := *c
	own.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		first := via[0].URL
		switch {
		case len(via) > 5:
			return errors.New("redirected more than five times")
		case first.Scheme == "https" && req.URL.Scheme != "https":
			return fmt.Errorf("redirected to clear text at %s", req.URL.Host)
		case req.URL.Host != first.Host:
			req.Header.Del("Authorization")
		}
		return nil
	}
	return &own
}

// statusError is an answer that is not what was asked for.
type statusError struct {
	text  string
	retry time.Duration // what the provider wants to be left alone for
}

func (e *statusError) Error() string { return e.text }

// status tells what is wrong with an answer.
func status(resp *http.Response, keyed bool) error {
	where := resp.Request.URL.Scheme + "://" + resp.Request.URL.Host + resp.Request.URL.Path
	fault := func(format string, args ...any) error {
		return &statusError{where + ": " + fmt.Sprintf(format, args...), retryAfter(resp)}
	}
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusUnauthorized && keyed:
		return fault("%s: check the account's id and the licence key", resp.Status)
	case code == http.StatusForbidden && keyed:
		return fault("%s: the account may not have this edition", resp.Status)
	case code == http.StatusNotFound:
		return fmt.Errorf("%s: %w", where, errNowhere)
	case code == http.StatusTooManyRequests:
		return fault("%s: fetched too often; again in %v", resp.Status, retryAfter(resp))
	default:
		return fault("answered %s", resp.Status)
	}
}

// retryAfter is what RFC 9110, 10.2.3 asks for; 0 if nothing is asked for.
func retryAfter(resp *http.Response) time.Duration {
	after := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(after, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(after); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// counter counts what is read.
type counter struct {
	from io.Reader
	add  func(int)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.add(n)
	return n, err
}
