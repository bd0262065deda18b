package keyring

import (
	"bufio"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"landfall/geodns/dnssec/roll"
)

// killDir tells the process that is to be killed where to write.
const killDir = "LANDFALL_KEYRING_KILL_DIR"

// Keys that are being changed when the machine stops are those of before or
// those of after, whole, with their private halves, and the change goes on.
func TestKilledAtAnyMomentKeysAreWhole(t *testing.T) {
	if dir := os.Getenv(killDir); dir != "" {
		changeForEver(t, Dir(dir))
		return
	}
	rounds := 15
	if testing.Short() {
		rounds = 3
	}
	dir := Dir(t.TempDir())
	if _, err := dir.Begin("example.test", policy, killEpoch); err != nil {
		t.Fatal(err)
	}
	var last roll.ID
	for range rounds {
		changeAndKill(t, dir)
		s, err := dir.State("example.test")
		if err != nil {
			t.Fatal(err)
		}
		if s.Last < last {
			t.Fatalf("key %d was there, and now %d is the last", last, s.Last)
		}
		last = s.Last
		private, err := dir.Private(s)
		if err != nil || len(private) != len(s.Keys) {
			t.Fatalf("%d of %d keys have private halves: %v", len(private), len(s.Keys), err)
		}
		if _, err := dir.Sign("example.test", killEpoch.Add(time.Duration(s.Last)*policy.ZSKLife)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := dir.Change("example.test", func(s roll.State) (roll.State, error) { return s.Unsign(killEpoch) }); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(string(dir), temp+"*")); err != nil || len(left) > 0 {
		t.Errorf("not swept: %v, %v", left, err)
	}
	if last < 3 {
		t.Errorf("only %d keys were made in %d rounds", last, rounds)
	}
}

var killEpoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// changeForEver has one ZSK after the other take over.
func changeForEver(t *testing.T, dir Dir) {
	s, err := dir.State("example.test")
	if err != nil {
		t.Fatal(err)
	}
	now := killEpoch
	for _, k := range s.Keys {
		now = later(now, later(k.Publish, k.Sign))
	}
	os.Stdout.WriteString("begun\n")
	for {
		now = now.Add(policy.ZSKLife)
		if _, err := dir.Change("example.test", func(s roll.State) (roll.State, error) {
			s, _, _ = s.Next(now, roll.Facts{Current: true})
			return s, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// changeAndKill lets another process change keys, and kills it.
func changeAndKill(t *testing.T, dir Dir) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestKilledAtAnyMomentKeysAreWhole$")
	cmd.Env = append(os.Environ(), killDir+"="+string(dir))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "begun\n" {
		t.Errorf("%q, %v", line, err)
	}
	timer := time.NewTimer(rand.N(30 * time.Millisecond))
	<-timer.C
	_ = cmd.Process.Kill() // it may have ended
	_ = cmd.Wait()
}
