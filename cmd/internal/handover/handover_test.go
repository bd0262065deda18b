package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// open opens the socket of an old process that gives a UDP and a TCP socket.
func open(t *testing.T, ready time.Duration) (o *Old, dir string, udp *net.UDPConn, tcp net.Listener) {
	t.Helper()
	dir = t.TempDir()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	tcp, err = net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var held Sockets
	for name, c := range map[string]any{"udp": udp, "tcp": tcp} {
		s, err := Hold(name, c.(syscall.Conn))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, s)
	}
	t.Cleanup(func() { udp.Close(); tcp.Close(); held.Close() })
	o, err = Open(Config{
		Dir: dir, Ready: ready,
		Give: func() (Parcel, error) { return Parcel{held, json.RawMessage(`{"secret":"s"}`)}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o, dir, udp, tcp
}

// awaited is what Await returned.
type awaited struct {
	*Heir
	error
}

func await(t *testing.T, o *Old) <-chan awaited {
	out := make(chan awaited, 1)
	go func() {
		h, err := o.Await(t.Context())
		out <- awaited{h, err}
	}()
	return out
}

func TestSuccessorTakesTheVerySockets(t *testing.T) {
	o, dir, udp, tcp := open(t, time.Minute)
	waiting := await(t, o)
	asker, err := net.Dial("udp4", udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	if _, err := asker.Write([]byte("before")); err != nil { // nobody reads it yet
		t.Fatal(err)
	}
	caller, err := net.Dial("tcp4", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()

	l, err := Take(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var know struct{ Secret string }
	if err := l.Learn(&know); err != nil || know.Secret != "s" {
		t.Errorf("knows %+v, %v", know, err)
	}
	packets, err := l.Sockets.Packets("udp")
	if err != nil {
		t.Fatal(err)
	}
	listeners, err := l.Sockets.Listeners("tcp")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Sockets.Close(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Ready(t.Context()); l.Thank() }()
	heir := <-waiting
	if heir.error != nil {
		t.Fatal(heir.error)
	}
	if heir.PID != os.Getpid() {
		t.Errorf("the successor is process %d, not %d", heir.PID, os.Getpid())
	}
	udp.Close()
	tcp.Close()
	select {
	case err := <-done:
		t.Fatalf("alone before the old one ceased: %v", err)
	default:
	}
	if err := heir.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := packets[0].Read(b); err != nil || string(b[:n]) != "before" {
		t.Errorf("read %q, %v", b[:n], err)
	}
	if conn, err := listeners[0].Accept(); err != nil || conn.RemoteAddr().String() != caller.LocalAddr().String() {
		t.Errorf("accepted %v, %v", conn, err)
	}
}

// Whatever a successor does wrong, the old one waits for the next.
func TestOldGoesOnWhereSuccessorFails(t *testing.T) {
	o, dir, _, _ := open(t, 200*time.Millisecond)
	waiting := await(t, o)
	take := func() *Legacy {
		t.Helper()
		l, err := Take(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.link.Close(); l.Sockets.Close() })
		return l
	}
	take().Fail(errors.New("network.toml:3:4: no such region"))
	take().link.Close() // killed
	take().link.say(message{Yours: true}, nil)
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	take().link.say(message{Ready: true, Socket: "a gift"}, file)
	slow := take()
	if _, err := slow.link.expect(); !errors.Is(err, io.EOF) { // until the old one has enough
		t.Errorf("heard %v", err)
	}
	select {
	case a := <-waiting:
		t.Fatalf("the old one has ceased: %v", a)
	default:
	}
	// One that is ready and then vanishes.
	l := take()
	go func() { l.Ready(t.Context()); l.link.Close() }()
	a := <-waiting
	if a.error != nil {
		t.Fatal(a.error)
	}
	if err := a.Release(t.Context()); err == nil {
		t.Error("released to nobody")
	}
	// The last one is as good as if there had been no others.
	waiting = await(t, o)
	last := take()
	go func() { last.Ready(t.Context()); last.Thank() }()
	if a := <-waiting; a.error != nil || a.Release(t.Context()) != nil {
		t.Errorf("%v", a)
	}
}

func TestNewGoesOnWhereOldVanishes(t *testing.T) {
	o, dir, _, _ := open(t, time.Minute)
	waiting := await(t, o)
	l, err := Take(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	go func() { a := <-waiting; a.link.Close() }() // killed while it ceases
	if err := l.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	l.Thank()
}

func TestNobodyIsThere(t *testing.T) {
	if _, err := Take(t.Context(), t.TempDir()); !errors.Is(err, ErrNobody) {
		t.Error(err)
	}
	o, dir, _, _ := open(t, time.Minute)
	o.Close() // and its socket stays, as after a kill
	if _, err := Take(t.Context(), dir); !errors.Is(err, ErrNobody) {
		t.Error(err)
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	o, dir, _, _ := open(t, time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { _, err := o.Await(ctx); ended <- err }()
	l, err := Take(t.Context(), dir) // in the middle of a handover
	if err != nil {
		t.Fatal(err)
	}
	defer l.Sockets.Close()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestOldThatCannotGiveSaysWhy(t *testing.T) {
	dir := t.TempDir()
	o, err := Open(Config{Dir: dir, Give: func() (Parcel, error) { return Parcel{}, errors.New("out of files") }})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	await(t, o)
	if _, err := Take(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "out of files") {
		t.Error(err)
	}
}

func TestStartSaysWhySuccessorsFail(t *testing.T) {
	o, _, _, _ := open(t, time.Minute)
	for script, want := range map[string]string{
		"exit 3": "exit status 3",
		"exit 0": "ended by itself",
	} {
		if _, err := o.Start(t.Context(), "/bin/sh", []string{"-c", script}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", script, err, want)
		}
	}
	if _, err := o.Start(t.Context(), "/does/not/exist", nil, nil); err == nil {
		t.Error("a program that is not there was started")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := o.Start(ctx, "/bin/sh", []string{"-c", "exec sleep 100"}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestEnvironLeavesOutWhatIsForOneProcess(t *testing.T) {
	got := Environ([]string{"A=1", "LISTEN_PID=7", "LISTEN_FDS=2", "NOTIFY_SOCKET=/x", "WATCHDOG_PID=7", "WATCHDOG_USEC=9"})
	if want := "[A=1 NOTIFY_SOCKET=/x WATCHDOG_USEC=9]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// Whatever comes by the socket, nothing breaks and no descriptor stays.
func FuzzHear(f *testing.F) {
	for _, m := range []message{{Ready: true}, {Socket: "udp"}, {Given: new(3), Know: json.RawMessage(`{"a":1}`)}} {
		b, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, gift bool) {
		if len(b) == 0 || len(b) > maxMessage {
			return
		}
		ours, theirs := pair(t)
		var rights []byte
		if gift {
			rights = rightsOf(t)
		}
		if _, _, err := theirs.WriteMsgUnix(b, rights, nil); err != nil {
			t.Fatal(err)
		}
		m, fd, err := ours.hear()
		if err == nil && (fd >= 0) != (m.Socket != "") {
			t.Errorf("%q: %+v with descriptor %d", b, m, fd)
		}
		if err != nil && fd >= 0 {
			t.Errorf("%q: %v, and a descriptor", b, err)
		}
		shut(fd)
	})
}

// Root could open the socket of a service that is another user's, and would
// leave files there that the service cannot read.
func TestSuccessorIsOfTheSameUser(t *testing.T) {
	o, _, _, _ := open(t, time.Minute)
	ours, theirs := pair(t)
	h := &Heir{old: o, link: ours}
	if err := h.prepare(t.Context(), os.Geteuid()+1); err == nil || !strings.Contains(err.Error(), "as that user") {
		t.Error(err)
	}
	if m, err := theirs.expect(); err != nil || !strings.Contains(m.No, "as that user") {
		t.Errorf("%+v, %v", m, err)
	}
}
