package packet

import (
	"testing"

	"golang.org/x/sys/unix"
)

// pair is two sockets that are connected.
func pair(t testing.TB) (ours, theirs int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

// A batch is read, answered and sent without anything made for it.
func TestBatchesAllocateNothing(t *testing.T) {
	conn := listen(t, "127.0.0.1:0")
	c := dial(t, conn.LocalAddr())
	socket, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = socket.Control(func(fd uintptr) {
		w := worker{Loop: &Loop{Config{Handler: shout}}, fd: int(fd), wake: -1, mail: newMail(true)}
		msg, back := []byte("a"), make([]byte, 10)
		if n := testing.AllocsPerRun(100, func() {
			for range 3 {
				if _, err := c.Write(msg); err != nil {
					t.Fatal(err)
				}
			}
			w.await()
			if _, err := w.mail.receive(w.fd); err != nil {
				t.Fatal(err)
			}
			for i := range w.mail.Len() {
				w.mail.Answer(i, append(w.mail.Room(i), 'A'))
			}
			w.send(w.mail.address())
			if _, err := c.Read(back); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// One answer that the system refuses does not hold up others.
func TestOneThatCannotBeSentIsLeftOut(t *testing.T) {
	ours, theirs := pair(t)
	failed := 0
	w := worker{Loop: &Loop{Config{Failed: func(string, error) { failed++ }}}, fd: ours, mail: newMail(false)}
	w.mail.n = 3
	for i := range w.mail.n {
		w.mail.received[i].Namelen = 0 // connected
		w.mail.Answer(i, []byte{byte('a' + i)})
	}
	w.mail.received[1].Namelen = 3 // no address of this kind of socket
	w.send(w.mail.address())
	b, got := make([]byte, 10), ""
	for {
		n, err := unix.Read(theirs, b)
		if err != nil {
			break
		}
		got += string(b[:n])
	}
	if got != "ac" || failed != 1 {
		t.Errorf("got %q with %d failures, want ac and 1", got, failed)
	}
}
