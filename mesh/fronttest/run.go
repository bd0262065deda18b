package fronttest

import (
	"testing"
	"time"
)

// Maker makes two fronts. The timeout is that of their configuration.
type Maker func(t testing.TB, timeout time.Duration) (a, b Side)

// part is a part of the suite.
type part struct {
	name    string
	timeout time.Duration // short ones take seconds, for they are waited for
	run     func(t *testing.T, w *world)
}

// Timeouts that fronts are asked to have.
const (
	Timeout = 10 * time.Second
	short   = time.Second // where it is waited for
	long    = time.Minute // where there is so much to do that a busy machine is late
)

// Run runs the suite; each part has fronts of its own. They are
// front.Fronts.
func Run(t *testing.T, mk Maker) {
	RunStreams(t, func(t testing.TB, timeout time.Duration) (a, b Side) {
		a, b = mk(t, timeout)
		Join(t, a, b)
		return a, b
	})
	for _, p := range []part{
		{"OpenHonoursItsContext", Timeout, honoursContext},
		{"CloseEndsWhatOpens", Timeout, closeOpening},
		{"ClassesMarkPackets", Timeout, marks},
		{"TooBigLowersSegments", Timeout, tooBig},
		{"SilentPeerEndsStreams", short, silentPeer},
	} {
		p.with(t, func(t testing.TB, timeout time.Duration) *world {
			w := &world{}
			w.a, w.b = mk(t, timeout)
			w.link = Join(t, w.a, w.b)
			return w
		})
	}
}

// RunStreams runs what has nothing to do with packets, on fronts that are
// joined already.
func RunStreams(t *testing.T, mk Maker) {
	for _, p := range []part{
		{"FirstBytesArriveFirst", Timeout, firstBytes},
		{"NobodyListensIsRefused", Timeout, refused},
		{"OneselfCanBeOpened", Timeout, oneself},
		{"UnlistenRefusesAndKeeps", Timeout, unlisten},
		{"ListenTwiceFails", Timeout, listenTwice},
		{"EchoIsWhatWasSent", Timeout, echo},
		{"OpenersHalfEndsFirst", Timeout, halfCloseNear},
		{"AcceptersHalfEndsFirst", Timeout, halfCloseFar},
		{"SinksHoldWritersBack", Timeout, backPressure},
		{"ResumeFromWithinData", Timeout, resumeWithin},
		{"StartHandsOver", Timeout, handOver},
		{"StartOfNilHolds", Timeout, hold},
		{"CloseDeliversWhatWasWritten", Timeout, closeDelivers},
		{"CloseFromWithinData", Timeout, closeWithin},
		{"AbortResets", Timeout, abortResets},
		{"AbortBeforeStartIsTold", Timeout, abortUnstarted},
		{"EndEndsAllToAPeer", Timeout, endPeer},
		{"CloseWhileBusy", Timeout, closeBusy},
		{"ParkedStreamsAreCheap", long, parked},
		{"ConnIsANetConn", Timeout, netConn},
		{"SlowReaderKeepsItsStream", short, slowReader},
	} {
		p.with(t, func(t testing.TB, timeout time.Duration) *world {
			w := &world{}
			w.a, w.b = mk(t, timeout)
			t.Cleanup(func() { closeBoth(t, w.a, w.b) })
			return w
		})
	}
}

func (p part) with(t *testing.T, mk func(t testing.TB, timeout time.Duration) *world) {
	t.Run(p.name, func(t *testing.T) {
		if p.timeout == short && testing.Short() {
			t.Skip("takes seconds")
		}
		p.run(t, mk(t, p.timeout))
	})
}
