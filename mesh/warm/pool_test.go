package warm

import (
	"bytes"
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/fronttest"
)

// TestOpenWaitsForNothing: an answer is one round trip away on a spare, two
// without one.
func TestOpenWaitsForNothing(t *testing.T) {
	for name, want := range map[string]time.Duration{"cold": 4 * delay, "warm": 2 * delay} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, Config{}, DoorConfig{})
				if name == "warm" {
					k.keep()
				}
				start := time.Now()
				s, c := k.open(t, "question")
				settle()
				if string(c.got) != "question" || c.first.Sub(start) != want {
					t.Errorf("%q after %v, want %v", c.got, c.first.Sub(start), want)
				}
				at := k.services()[0].stream
				if s.Remote() != k.there || at.Remote() != s.Local() || fronttest.ClassOf(at) != landfall.Interactive {
					t.Errorf("%v, %v, class %d", s.Remote(), at.Remote(), fronttest.ClassOf(at))
				}
				if err := s.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				settle()
				if c.eofs != 1 || c.closed != 1 || c.err != nil {
					t.Errorf("%d EOFs, closed %d times: %v", c.eofs, c.closed, c.err)
				}
			})
		})
	}
}

func TestServicesSeeNoSpares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{})
		k.keep()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(k.services()); n != 0 || k.pool.Stats().Spares != 2 {
			t.Errorf("%d streams at the service, %d spares", n, k.pool.Stats().Spares)
		}
	})
}

// TestIdleUsesCostNothing: what nobody sends anything on is not padded,
// however often it is opened in advance.
func TestIdleUsesCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{})
		k.keep()
		for range 100 {
			s, _ := k.open(t, "")
			time.Sleep(time.Minute)
			s.Close()
		}
		if got := k.pool.Stats().Padding; got != 0 {
			t.Errorf("%d bytes of padding with no users", got)
		}
		s, _ := k.open(t, "")
		settle()
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(DefaultEvery)
		s.Close()
		first := k.pool.Stats().Padding
		if first != 2*DefaultPadding {
			t.Errorf("%d bytes of padding once somebody has come", first)
		}
		time.Sleep(24 * time.Hour)
		if got := k.pool.Stats().Padding; got != first {
			t.Errorf("%d bytes more of padding with no more users", got-first)
		}
	})
}

// TestPaddingComesOncePerPeriod: for new spares as well as for old ones.
func TestPaddingComesOncePerPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{})
		k.keep()
		for range 5 {
			k.visit(t)
		}
		time.Sleep(DefaultEvery / 2)
		if got := k.pool.Stats().Padding; got != 2*DefaultPadding {
			t.Errorf("%d bytes of padding at first", got)
		}
		time.Sleep(DefaultEvery)
		synctest.Wait()
		if got, sent := k.pool.Stats().Padding, k.door.Stats().Padding; got != 4*DefaultPadding || sent != got {
			t.Errorf("%d bytes of padding after one more period, %d sent", got, sent)
		}
	})
}

// TestShortWaysGetLittlePadding: a connection is soon at full speed there.
func TestShortWaysGetLittlePadding(t *testing.T) {
	for rtt, want := range map[time.Duration]uint64{
		time.Millisecond: 0, 19 * time.Millisecond: 0, 40 * time.Millisecond: 2 * 140_000, 300 * time.Millisecond: 2 * DefaultPadding,
	} {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t, Config{RTT: func(landfall.NodeID) time.Duration { return rtt }}, DoorConfig{})
			k.keep()
			k.visit(t)
			time.Sleep(DefaultEvery / 2)
			if got := k.pool.Stats().Padding; got != want {
				t.Errorf("%v away: %d bytes of padding, want %d", rtt, got, want)
			}
		})
	}
}

func TestManyUsesShareThePadding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{})
		var uses []Use
		for i := range 32 {
			uses = append(uses, Use{landfall.NodeID('a' + rune(i)), landfall.MeshHTTP, landfall.Normal})
		}
		k.pool.Keep(uses)
		time.Sleep(30 * time.Second)
		for _, u := range uses {
			k.pool.sent(u)
		}
		time.Sleep(DefaultEvery / 2)
		synctest.Wait()
		if got, want := k.pool.Stats().Padding, uint64(2*fullPadding*DefaultPadding); got != want {
			t.Errorf("%d bytes of padding for 32 uses, want %d", got, want)
		}
	})
}

func TestAPeerGetsNoMorePaddingThanItsAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{Allowance: 800_000})
		k.keep()
		k.visit(t)
		if sent := k.door.Stats().Padding; sent < 800_000 || sent > 820_000 {
			t.Errorf("%d bytes sent", sent)
		}
		s, c := k.open(t, "x")
		settle()
		if string(c.got) != "x" {
			t.Errorf("%q, %v", c.got, c.err)
		}
		s.Close()
	})
}

func TestNothingIsOpenedInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{})
		k.unsure = true
		k.keep()
		settle()
		if k.opened != 0 {
			t.Errorf("%d connections", k.opened)
		}
		k.mu.Lock()
		k.unsure = false
		k.mu.Unlock()
		settle()
		if n := k.pool.Stats().Spares; n != 2 {
			t.Errorf("%d spares once the way is good", n)
		}
	})
}

// TestLostSparesAreReplaced: they are not handed out, and new ones not opened
// in a hurry.
func TestLostSparesAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{})
		k.keep()
		for range 20 {
			k.far.End(k.near.All()[0].Local().Addr(), errors.New("restarted"))
			time.Sleep(2 * delay)
			synctest.Wait()
			if n := len(k.pool.Stats().list()); n != 0 {
				t.Fatalf("%d spares that are lost", n)
			}
			s, c := k.open(t, "x")
			time.Sleep(time.Second)
			s.Close()
			if string(c.got) != "x" {
				t.Fatalf("%q, %v", c.got, c.err)
			}
			time.Sleep(maxPause)
			synctest.Wait()
		}
		if n := k.pool.Stats(); n.Spares != 2 || n.Lost != 40 || n.Retried != 0 {
			t.Errorf("%+v", n)
		}
	})
}

// list is one element for each spare.
func (s Stats) list() []struct{} { return make([]struct{}, s.Spares) }

// TestClosedSparesAreLeft: a spare is closed over there, and what opens on it
// crosses with that.
func TestClosedSparesAreLeft(t *testing.T) {
	for name, end := range map[string]func(*kit){
		"reset": func(k *kit) { k.far.End(k.near.All()[0].Local().Addr(), errors.New("restarted")) },
		"closed": func(k *kit) {
			for _, f := range k.far.All() {
				f.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, Config{}, DoorConfig{})
				k.keep()
				end(k)
				s, c := k.open(t, "one ")
				k.pool.Keep(nil)
				time.Sleep(delay / 2)
				for _, word := range []string{"two ", "three "} {
					if n, err := s.Write([]byte(word)); n != len(word) || err != nil {
						t.Fatal(n, err)
					}
				}
				if err := s.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				settle()
				if string(c.got) != "one two three " || c.eofs != 1 || c.closed != 1 || c.err != nil {
					t.Errorf("%q, %d EOFs, closed %d times: %v", c.got, c.eofs, c.closed, c.err)
				}
				if st := k.pool.Stats(); st.Warm != 1 || st.Retried != 1 || len(k.services()) != 1 {
					t.Errorf("%+v, served %d times", st, len(k.services()))
				}
			})
		})
	}
}

// TestWhatIsWrittenWhileMovingWaits: it is not lost, and not taken twice.
func TestWhatIsWrittenWhileMovingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{})
		k.keep()
		k.far.End(k.near.All()[0].Local().Addr(), errors.New("restarted"))
		s, c := k.open(t, "one ")
		time.Sleep(delay + delay/2) // it moves
		if n, err := s.Write([]byte("two ")); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if s.Local().Port() == 0 || s.Remote() != k.there {
			t.Errorf("from %v to %v", s.Local(), s.Remote())
		}
		settle()
		if c.rooms != 1 {
			t.Fatalf("%d times room", c.rooms)
		}
		if n, err := s.Write([]byte("two ")); n != 4 || err != nil {
			t.Fatal(n, err)
		}
		settle()
		if string(c.got) != "one two " || c.closed != 0 {
			t.Errorf("%q, closed %d times", c.got, c.closed)
		}
		s.Abort(errors.New("enough"))
		settle()
		if c.closed != 1 || c.err.Error() != "enough" {
			t.Errorf("closed %d times: %v", c.closed, c.err)
		}
	})
}

// TestAStreamEndsWhileItMoves by its owner, or because there is nowhere to go.
func TestAStreamEndsWhileItMoves(t *testing.T) {
	why := errors.New("enough")
	for name, c := range map[string]struct {
		do   func(*kit, Stream)
		want error
	}{
		"closed":   {func(_ *kit, s Stream) { s.Close() }, nil},
		"aborted":  {func(_ *kit, s Stream) { s.Abort(why) }, why},
		"nowhere":  {func(k *kit, _ Stream) { k.far.Unlisten(k.there.Port()) }, syscall.ECONNREFUSED},
		"both":     {func(k *kit, s Stream) { k.far.Unlisten(k.there.Port()); s.Close() }, nil},
		"the pool": {func(k *kit, _ Stream) { k.near.Close() }, syscall.ECONNABORTED},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, Config{}, DoorConfig{})
				k.keep()
				k.far.End(k.near.All()[0].Local().Addr(), errors.New("restarted"))
				s, sink := k.open(t, "one")
				time.Sleep(delay + delay/2)
				c.do(k, s)
				settle()
				if name == "the pool" {
					if sink.closed != 1 || sink.err == nil {
						t.Errorf("closed %d times: %v", sink.closed, sink.err)
					}
					return
				}
				if sink.closed != 1 || !errors.Is(sink.err, c.want) {
					t.Errorf("closed %d times: %v", sink.closed, sink.err)
				}
				if _, err := s.Write([]byte("x")); err == nil {
					t.Error("written to a stream that is over")
				}
			})
		})
	}
}

// TestAServiceThatBreaksIsNotAskedTwice: once it is taken a stream stays
// where it is.
func TestAServiceThatBreaksIsNotAskedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{})
		k.keep()
		s, c := k.open(t, "x")
		time.Sleep(delay)
		synctest.Wait()
		k.services()[0].stream.Abort(errors.New("a bug"))
		settle()
		if !errors.Is(c.err, syscall.ECONNRESET) || c.closed != 1 || len(k.services()) != 1 {
			t.Errorf("closed %d times: %v; served %d times", c.closed, c.err, len(k.services()))
		}
		if _, err := s.Write([]byte("x")); err == nil {
			t.Error("written to a stream that is over")
		}
	})
}

// TestLongBodiesAreNotKept: much is written before the stream is taken.
func TestLongBodiesAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{})
		k.keep()
		s, c := k.open(t, "x")
		body := bytes.Repeat([]byte("landfall"), 200_000)
		for left := body; len(left) > 0; {
			n, err := s.Write(left)
			if err != nil {
				t.Fatal(err)
			}
			if left = left[n:]; n < len(left) {
				time.Sleep(delay)
				synctest.Wait()
			}
		}
		settle()
		if want := append([]byte("x"), body...); !bytes.Equal(c.got, want) {
			t.Errorf("%d bytes of %d", len(c.got), len(want))
		}
		s.Close()
	})
}

func TestDroppedUsesLoseTheirSpares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{})
		k.keep()
		before := slices.Clone(k.near.All())
		k.pool.Forget("fra1")
		settle()
		if st := k.pool.Stats(); st.Spares != 2 || st.Lost != 0 || len(k.near.All()) != 2 || k.near.All()[0] == before[0] {
			t.Errorf("%+v, %d streams", st, len(k.near.All()))
		}
		k.pool.Keep(nil)
		settle()
		if st := k.pool.Stats(); st.Spares != 0 || len(k.near.All())+len(k.far.All()) != 0 {
			t.Errorf("%+v, %d streams, %d over there", st, len(k.near.All()), len(k.far.All()))
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	open := newKitOpen()
	for _, cfg := range []Config{{}, {Open: open, Spares: -1}, {Open: open, Padding: maxPadding + 1}, {Open: open, Every: -1}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
