package join

import (
	"context"
	"crypto/hmac"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"landfall"
	"landfall/mesh/mapsync"
)

// again is how long after its expiry a token still answers the server that
// has joined with it: the answer may have been lost.
const again = time.Hour

// errUnknown is what everybody hears who has not proved a secret: whether
// there is such a node or invitation stays home's.
func errUnknown() error {
	return refuse(CodeUnknown, "the control does not know this token: it was replaced or withdrawn, or belongs to another network: make a new one with `landfall invite`")
}

// claim is a request as it came: its body, how it is to be proved, and where
// it came from.
type claim struct {
	body    []byte
	proof   []byte
	nonce   []byte
	binding [32]byte
	from    netip.Addr // invalid if unknown
	proved  func()     // is called once the proof was seen to be good
}

func (c claim) proves(k proofKey) bool {
	return hmac.Equal(c.proof, k.prove(c.binding, c.nonce, c.body))
}

// admit makes the server that claims a node of the map that node, and returns
// the newest signed map. The server that has joined already is answered the
// same again. Errors are refusals, or faults of home's own.
func (b *Book) admit(ctx context.Context, c claim) (landfall.NodeID, mapsync.Signed, error) {
	r, err := parseRequest(c.body)
	if err != nil {
		return "", mapsync.Signed{}, refuse(CodeRequest, "%v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	rec, err := b.load(r.Node)
	if err != nil {
		rec.Key = newSecret().key() // nobody's
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.cfg.Log.Error("invitation cannot be read", "peer", r.Node, "err", err)
	}
	if !c.proves(rec.Key) {
		return r.Node, mapsync.Signed{}, errUnknown()
	}
	c.proved()
	doc, err := b.enter(ctx, rec, r, c.from)
	return r.Node, doc, err
}

// enter is admit once the secret is proved.
func (b *Book) enter(ctx context.Context, rec record, r request, from netip.Addr) (mapsync.Signed, error) {
	now := b.cfg.Now()
	if skew := r.Time.Sub(now); skew.Abs() > maxSkew {
		return mapsync.Signed{}, refuse(CodeClock, "%s", skewed(skew))
	}
	_, err := b.cfg.Control.Change(ctx, func(m *landfall.Map) error { return rec.seat(m, r, from, now) })
	if f, ok := errors.AsType[*mapsync.Faulty](err); ok {
		return mapsync.Signed{}, refuse(CodeFaulty, "the network cannot take this server in: %s", sentences(f.Faults))
	}
	if err != nil {
		return mapsync.Signed{}, err
	}
	// The map says who has joined; the mark is for whoever reads the file,
	// and for a later life of the name.
	if rec.Joined.IsZero() {
		rec.Joined, rec.At = r.Key, now.UTC()
		if err := b.save(rec); err != nil {
			b.cfg.Log.Error("used invitation not marked", "peer", r.Node, "err", err)
		}
	}
	doc, m, err := b.cfg.Control.Newest(ctx)
	if err != nil {
		return mapsync.Signed{}, err
	}
	b.cfg.Log.Info("node joined", "peer", r.Node, "serial", m.Serial, "version", r.Version, "addresses", r.Advertised, "remote", from)
	return doc, nil
}

// seat turns the invited node into an active one with the server's keys, or
// says why not.
func (rec record) seat(m *landfall.Map, r request, from netip.Addr, now time.Time) error {
	if r.Network != m.Network {
		return refuse(CodeNetwork, "the token is for the network %q, but this is %q", r.Network, m.Network)
	}
	i := slices.IndexFunc(m.Nodes, func(n landfall.Node) bool { return n.ID == r.Node })
	switch {
	case i < 0 || m.Nodes[i].State == landfall.Gone:
		return refuse(CodeGone, "node %s was removed from the network: make a new token with `landfall invite`", r.Node)
	case m.Nodes[i].Joined() && m.Nodes[i].Key == r.Key && now.Before(rec.Expires.Add(again)):
		return nil
	case m.Nodes[i].Joined(), !rec.Joined.IsZero():
		return refuse(CodeUsed, "this token was used already, by the server that is node %s: each server needs its own: make one with `landfall invite`; if you did not use it, `landfall remove %s --compromised`", r.Node, r.Node)
	case !now.Before(rec.Expires):
		return refuse(CodeExpired, "%s", expired(rec.Expires, now))
	}
	if why := rec.misplaced(r, from); why != "" {
		return refuse(CodeAddress, "%s", why)
	}
	n := &m.Nodes[i]
	n.State = landfall.Active
	n.Key, n.Sealing = r.Key, r.Sealing
	n.Advertised, n.Bound, n.Endpoints = r.Advertised, r.Bound, r.Endpoints
	n.Mesh = landfall.MeshAddr(m.Network, n.ID)
	return nil
}

func sentences(faults []landfall.Fault) string {
	out := make([]string, len(faults))
	for i, f := range faults {
		out[i] = f.Msg + " (" + f.Cure + ")"
	}
	return strings.Join(out, "; ")
}

// expired says since when a token is void.
func expired(at, now time.Time) string {
	return "the token expired at " + at.UTC().Format(time.RFC3339) + ", " +
		now.Sub(at).Round(time.Second).String() + " ago: make a new one with `landfall invite`"
}

// skewed says whose clock is ahead, by how much, and what to do.
func skewed(ahead time.Duration) string {
	word := "ahead of"
	if ahead < 0 {
		word = "behind"
	}
	return "the clock of this server is " + ahead.Abs().Round(time.Second).String() + " " + word +
		" that of the control: set the wrong one right (`timedatectl set-ntp true`) and join again"
}
