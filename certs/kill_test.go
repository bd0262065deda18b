package certs

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// killDir tells the process that is to be killed where to write.
const killDir = "LANDFALL_CERTS_KILL_DIR"

// A keeper that is killed at any moment leaves the old certificate or the new
// one, and never takes back what it said it had.
func TestKilledAtAnyMomentItLeavesTheOldOrTheNew(t *testing.T) {
	if dir := os.Getenv(killDir); dir != "" {
		renewForEver(t, dir)
		return
	}
	dir, rounds := t.TempDir(), 30
	if testing.Short() {
		rounds = 3
	}
	for _, sub := range []string{"authority", "kept"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for range rounds {
		told := renewAndKill(t, dir)
		b, err := os.ReadFile(filepath.Join(dir, "kept", "_domain-1.json"))
		if err != nil {
			t.Fatal(err)
		}
		_, c, err := parseRecord(b)
		if err != nil || c == nil {
			t.Fatalf("after %d renewals: %v\n%s", len(told), err, b)
		}
		if i := slices.Index(told, fmt.Sprintf("%x", c.Leaf.SerialNumber)); i >= 0 && i != len(told)-1 {
			t.Fatalf("renewal %d of %d is on disk", i+1, len(told))
		}
	}
	names, err := sweep(openRoot(t, filepath.Join(dir, "kept")))
	if err != nil || !slices.Equal(names, []string{"_domain-1.json"}) {
		t.Errorf("left are %v, %v", names, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "kept", tempPrefix+"*")); err != nil || len(left) > 0 {
		t.Errorf("not swept: %v, %v", left, err)
	}
}

// renewAndKill lets another process renew, kills it, and says which serial
// numbers it told.
func renewAndKill(t *testing.T, dir string) (told []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		serial, ok := strings.CutPrefix(lines.Text(), "renewed ")
		if !ok {
			t.Errorf("it says %s", lines.Text())
		}
		if told = append(told, serial); len(told) == 2 {
			time.AfterFunc(rand.N(20*time.Millisecond), func() { cmd.Process.Kill() })
		}
	}
	cmd.Wait()
	if len(told) < 2 {
		t.Fatalf("it ended by itself after %v", told)
	}
	return told
}

func renewForEver(t *testing.T, dir string) {
	a := openAuthority(t, filepath.Join(dir, "authority"))
	k, _ := runKeeper(t, filepath.Join(dir, "kept"), a, trusting(network("a.landfall.test"), a))
	for {
		if err := k.Renew(t.Context(), nil, Wanted); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("renewed %s\n", infoOf(t, k, "a.landfall.test").Serial)
	}
}

// Who cannot write down that he asks does not ask.
func TestNothingIsOrderedThatCannotBeKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		a := wideAuthority(t)
		n := newNotary(a, "one")
		m := trusting(network(), a)
		k, _ := runKeeper(t, dir, n, m)
		synctest.Wait()
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		k.SetMap(trusting(network("chat.landfall.test"), a))
		time.Sleep(time.Hour)
		if got := infoOf(t, k, "chat.landfall.test"); n.ordered() != 0 || !strings.Contains(got.Err, dir) {
			t.Errorf("%d orders, %+v", n.ordered(), got)
		}
	})
}

// An authority that does not answer about one host has no say about others.
func TestAHangingOrderGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := wideAuthority(t)
		n := newNotary(a, "one")
		n.set("app.other.test", errHang)
		k, _ := runKeeper(t, t.TempDir(), n, trusting(withExternal(network("chat.landfall.test"), "app.other.test", "web.third.test"), a))
		synctest.Wait()
		if got := infoOf(t, k, "chat.landfall.test"); got.State != "good" {
			t.Errorf("%+v", got)
		}
		time.Sleep(orderTime + time.Second)
		for host, want := range map[string]string{"web.third.test": "good", "app.other.test": "waiting"} {
			if got := infoOf(t, k, host); got.State != want {
				t.Errorf("%s: %+v", host, got)
			}
		}
	})
}
