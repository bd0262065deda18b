package fronttest

import (
	"testing"
	"time"
)

// Maker makes two fronts that nothing joins yet. The timeout is that of their
// configuration.
type Maker func(t testing.TB, timeout time.Duration) (a, b Side)

// Run runs the suite; each part has fronts of its own.
func Run(t *testing.T, mk Maker) {
	for _, part := range []struct {
		name string
		long bool // it takes seconds
		run  func(t *testing.T, w *world)
	}{
		{"FirstBytesArriveFirst", false, firstBytes},
		{"NobodyListensIsRefused", false, refused},
		{"OpenHonoursItsContext", false, honoursContext},
		{"OneselfCanBeOpened", false, oneself},
		{"UnlistenRefusesAndKeeps", false, unlisten},
		{"ListenTwiceFails", false, listenTwice},
		{"EchoIsWhatWasSent", false, echo},
		{"OpenersHalfEndsFirst", false, halfCloseNear},
		{"AcceptersHalfEndsFirst", false, halfCloseFar},
		{"SinksHoldWritersBack", false, backPressure},
		{"ResumeFromWithinData", false, resumeWithin},
		{"CloseDeliversWhatWasWritten", false, closeDelivers},
		{"CloseFromWithinData", false, closeWithin},
		{"AbortResets", false, abortResets},
		{"AbortBeforeStartIsTold", false, abortUnstarted},
		{"EndEndsAllToAPeer", false, endPeer},
		{"CloseWhileBusy", false, closeBusy},
		{"ClassesMarkPackets", false, marks},
		{"TooBigLowersSegments", false, tooBig},
		{"ParkedStreamsAreCheap", false, parked},
		{"ConnIsANetConn", true, netConn},
		{"SilentPeerEndsStreams", true, silentPeer},
		{"SlowReaderKeepsItsStream", true, slowReader},
	} {
		t.Run(part.name, func(t *testing.T) {
			if part.long && testing.Short() {
				t.Skip("takes seconds")
			}
			w := &world{}
			w.a, w.b = mk(t, Timeout)
			w.link = Join(t, w.a, w.b)
			part.run(t, w)
		})
	}
}

// Timeout is the one that fronts are asked to have.
const Timeout = time.Second
