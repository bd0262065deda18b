package chattest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"landfall/origin/chat"
)

// killDir tells the child process where the log is.
const killDir = "LANDFALL_CHATTEST_DIR"

// KillLog kills a process that appends, without warning and again and again,
// and checks that everything it acknowledged is in the log, once and without
// gaps. open opens the log in a directory, which the next process opens after
// it. The test that calls KillLog must call nothing else, because the child
// runs it too.
func KillLog(t *testing.T, open func(t *testing.T, dir string) chat.Log) {
	if dir := os.Getenv(killDir); dir != "" {
		appendUntilKilled(t, open(t, dir))
		return
	}
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	acked := map[string]string{} // uuid -> number
	for round := range rounds {
		killRound(t, dir, round, acked)
	}
	byUUID := checkDense(t, open(t, dir), FlowID(1))
	for uuid, seq := range acked {
		if e, ok := byUUID[uuid]; !ok || fmt.Sprint(e.Seq) != seq {
			t.Errorf("%s was acknowledged with number %s; the log has %v with %d", uuid, seq, ok, e.Seq)
		}
	}
	if len(acked) < rounds {
		t.Errorf("only %d events were acknowledged in %d rounds", len(acked), rounds)
	}
	t.Logf("%d events acknowledged, %d in the log", len(acked), len(byUUID))
}

// killRound runs a child until it has acknowledged some events, and kills it
// in the middle of its work. No number may change between rounds.
func killRound(t *testing.T, dir string, round int, acked map[string]string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := 20 + rand.IntN(60)
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); {
		uuid, seq, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "acked "), " ")
		if !ok || !strings.HasPrefix(lines.Text(), "acked ") {
			continue
		}
		if known, ok := acked[uuid]; ok && known != seq {
			t.Errorf("round %d: %s had number %s, now %s", round, uuid, known, seq)
		}
		acked[uuid] = seq
		if n++; n == kill {
			_ = cmd.Process.Kill()
		}
	}
	if exit, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok || exit.Exited() {
		t.Fatalf("round %d: the child ended by itself: %v", round, exit)
	}
}

// appendUntilKilled is the child: several writers, who share UUIDs and begin
// with those of the rounds before.
func appendUntilKilled(t *testing.T, l chat.Log) {
	var wg sync.WaitGroup
	var out sync.Mutex
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				uuid := fmt.Sprintf("w%d-%d", w/2, i)
				e, _, err := l.Append(t.Context(), Event(FlowID(1), uuid, strings.Repeat("x", 200)))
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				out.Lock()
				fmt.Printf("acked %s %d\n", uuid, e.Seq)
				out.Unlock()
			}
		})
	}
	wg.Wait()
}
