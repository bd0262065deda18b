package tap

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// start runs a Tap until the function it returns is called.
func start(t testing.TB, c Config) (*Tap, func()) {
	t.Helper()
	tap, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- tap.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return tap, stop
}

// numbered is an event that can be told from others.
func numbered(t testing.TB, i int) Event {
	return asked(t, "198.51.100.77:4444", func(q, a *dns.Msg) {
		name := fmt.Sprintf("n%d.app.test.", i)
		q.Question[0].Name, a.Question[0].Name, a.Answer = name, name, nil
	})
}

// names are those that the lines of a query log tell, in their order.
func names(t testing.TB, log []byte) (out []string) {
	t.Helper()
	for l := range bytes.Lines(log) {
		var got line
		if err := json.Unmarshal(l, &got); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		out = append(out, strings.TrimSuffix(got.Name, ".app.test."))
	}
	return out
}

func TestQueryLogTellsAllHandles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		tap, stop := start(t, Config{File: "-", Stdout: &out})
		own, shared := tap.Handle(), tap.Shared()
		own.Take(numbered(t, 1))
		time.Sleep(time.Second)
		shared.Take(numbered(t, 2))
		time.Sleep(time.Second)
		own.Take(numbered(t, 3))
		stop() // what is still in a ring is told
		if got := fmt.Sprint(names(t, out.Bytes())); got != "[n1 n2 n3]" {
			t.Error(got)
		}
		if s := tap.Stats(); s.Taken != 3 || s.Lines != 3 || s.Lost+s.Faults != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestQueryLogFollowsItsName(t *testing.T) {
	name := filepath.Join(t.TempDir(), "queries.log")
	l := &file{name: name}
	now := time.Now()
	add := func(n string) {
		t.Helper()
		now = now.Add(time.Minute)
		l.add(line{Name: n + ".app.test."})
		if written, err := l.flush(now); written != 1 || err != nil {
			t.Fatalf("%d lines, %v", written, err)
		}
	}
	add("a")
	add("b")
	if err := os.Rename(name, name+".1"); err != nil { // as logrotate does
		t.Fatal(err)
	}
	add("c")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	add("d")
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	for f, want := range map[string]string{name + ".1": "[a b]", name: "[d]"} {
		b, err := os.ReadFile(f)
		if got := fmt.Sprint(names(t, b)); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", f, got, err, want)
		}
	}
}

// full is a disk without room.
type full struct{ room bool }

func (f *full) Write(b []byte) (int, error) {
	if !f.room {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

func TestLogThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, said := &full{}, &bytes.Buffer{}
		tap, stop := start(t, Config{File: "-", Stdout: disk, Log: slog.New(slog.NewTextHandler(said, nil))})
		for i := range 5 {
			tap.Shared().Take(numbered(t, i))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		disk.room = true
		tap.Shared().Take(numbered(t, 6))
		stop()
		if s := tap.Stats(); s.Faults != 5 || s.Lines != 1 {
			t.Errorf("%+v", s)
		}
		if !strings.Contains(said.String(), "no space left") {
			t.Errorf("the log says %q", said)
		}
	})
}

func TestSampleThatIsNoneIsRefused(t *testing.T) {
	if _, err := New(Config{Sample: -1}); err == nil {
		t.Error("no error")
	}
}

// Who has no Tap can go on as if there were one.
func TestNobodyIsTold(t *testing.T) {
	var tap *Tap
	if tap.Handle().Due() || tap.Shared().Due() {
		t.Error("something is due")
	}
}
