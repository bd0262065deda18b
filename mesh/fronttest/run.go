package fronttest

import (
	"testing"
	"time"
)

// Maker makes two fronts. The timeout is that of their configuration.
type Maker func(t testing.TB, timeout time.Duration) (a, b Side)

// part is a part of the suite.
type part struct {
	name string
	long bool // it takes seconds, for it waits for the timeout
	run  func(t *testing.T, w *world)
}

// Timeouts that fronts are asked to have.
const (
	Timeout = 10 * time.Second
	short   = time.Second // where it is waited for
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
		{"OpenHonoursItsContext", false, honoursContext},
		{"CloseEndsWhatOpens", false, closeOpening},
		{"ClassesMarkPackets", false, marks},
		{"TooBigLowersSegments", false, tooBig},
		{"SilentPeerEndsStreams", true, silentPeer},
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
		{"FirstBytesArriveFirst", false, firstBytes},
		{"NobodyListensIsRefused", false, refused},
		{"OneselfCanBeOpened", false, oneself},
		{"UnlistenRefusesAndKeeps", false, unlisten},
		{"ListenTwiceFails", false, listenTwice},
		{"EchoIsWhatWasSent", false, echo},
		{"OpenersHalfEndsFirst", false, halfCloseNear},
		{"AcceptersHalfEndsFirst", false, halfCloseFar},
		{"SinksHoldWritersBack", false, backPressure},
		{"ResumeFromWithinData", false, resumeWithin},
		{"StartHandsOver", false, handOver},
		{"StartOfNilHolds", false, hold},
		{"CloseDeliversWhatWasWritten", false, closeDelivers},
		{"CloseFromWithinData", false, closeWithin},
		{"AbortResets", false, abortResets},
		{"AbortBeforeStartIsTold", false, abortUnstarted},
		{"EndEndsAllToAPeer", false, endPeer},
		{"CloseWhileBusy", false, closeBusy},
		{"ParkedStreamsAreCheap", false, parked},
		{"ConnIsANetConn", false, netConn},
		{"SlowReaderKeepsItsStream", true, slowReader},
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
		if p.long && testing.Short() {
			t.Skip("takes seconds")
		}
		timeout := Timeout
		if p.long {
			timeout = short
		}
		p.run(t, mk(t, timeout))
	})
}
