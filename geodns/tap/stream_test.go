package tap

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// await waits until something is so.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

// taken reads frames from a stream up to its end, and confirms that.
func taken(t testing.TB, conn net.Conn) (frames [][]byte) {
	t.Helper()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			t.Errorf("end without a word: %v", err)
			return frames
		}
		n := binary.BigEndian.Uint32(size[:])
		if n == 0 {
			kind, err := readControl(io.MultiReader(bytes.NewReader(size[:]), conn))
			if kind != controlStop || err != nil {
				t.Errorf("control frame %d, %v", kind, err)
			}
			_, _ = conn.Write(control(controlFinish, ""))
			return frames
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(conn, b); err != nil {
			t.Error(err)
			return frames
		}
		frames = append(frames, b)
	}
}

// listener takes the side of who takes dnstap.
func listener(t testing.TB, at string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// accept takes a stream's beginning.
func accept(t testing.TB, l net.Listener) net.Conn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if kind, err := readControl(conn); kind != controlReady || err != nil {
		t.Fatalf("control frame %d, %v", kind, err)
	}
	if _, err := conn.Write(control(controlAccept, content)); err != nil {
		t.Fatal(err)
	}
	if kind, err := readControl(conn); kind != controlStart || err != nil {
		t.Fatalf("control frame %d, %v", kind, err)
	}
	return conn
}

func TestStreamGoesToEachWhoListensInTurn(t *testing.T) {
	at := filepath.Join(t.TempDir(), "dnstap.sock")
	tap, stop := start(t, Config{Socket: at})
	tap.Shared().Take(numbered(t, 0)) // nobody hears
	await(t, "frames without a listener are counted", func() bool { return tap.Stats().Unsent == 2 })

	l := listener(t, at)
	first := accept(t, l)
	await(t, "connected", func() bool { return tap.Stats().Joined == 1 })
	tap.Shared().Take(numbered(t, 1))
	for range 2 { // query and answer, by their sizes
		var size [4]byte
		if _, err := io.ReadFull(first, size[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, first, int64(binary.BigEndian.Uint32(size[:]))); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	first.Close() // without a word
	await(t, "disconnected", func() bool { return tap.Stats().Joined == 0 })

	second := accept(t, listener(t, at))
	await(t, "connected again", func() bool { return tap.Stats().Joined == 1 })
	tap.Shared().Take(numbered(t, 2))
	tap.Shared().Take(numbered(t, 3))
	go stop() // with all that was taken, and a word of farewell
	if frames := taken(t, second); len(frames) != 4 {
		t.Errorf("%d frames", len(frames))
	}
	stop()
}

// Who does not speak of dnstap is not told, and who does not answer holds
// nobody up.
func TestStreamNeedsAWelcome(t *testing.T) {
	at := filepath.Join(t.TempDir(), "dnstap.sock")
	l := listener(t, at)
	tap, stop := start(t, Config{Socket: at})
	for _, welcome := range [][]byte{control(controlAccept, "protobuf:other"), control(controlStop, ""), []byte("HTTP/1.1 400 Bad Request\r\n\r\n")} {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(welcome); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, conn) // until it is closed, perhaps with a part unread
		conn.Close()
	}
	if n := tap.Stats().Joined; n != 0 {
		t.Errorf("joined: %d", n)
	}
	silent, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	stop()
}

func TestDnstapIsReadByOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("runs programs of Debian's fstrm-bin and bind9-dnsutils")
	}
	dir := t.TempDir()
	at, file := filepath.Join(dir, "dnstap.sock"), filepath.Join(dir, "dnstap.fstrm")
	capture := exec.CommandContext(t.Context(), "fstrm_capture", "-t", content, "-u", at, "-w", file)
	capture.WaitDelay = 10 * time.Second
	if err := capture.Start(); err != nil {
		t.Fatal(err)
	}
	tap, stop := start(t, Config{Socket: at, Whole: true, Identity: "ns1", Version: "landfall"})
	await(t, "connected", func() bool { return tap.Stats().Joined == 1 })
	for i := range 100 {
		e := numbered(t, i)
		e.Via = []string{"udp", "tcp", "tls", "https"}[i%4]
		tap.Shared().Take(e)
	}
	await(t, "sent", func() bool { return tap.Stats().Frames == 200 })
	stop()
	_ = capture.Process.Signal(os.Interrupt)
	if err := capture.Wait(); err != nil {
		t.Fatalf("fstrm_capture: %v", err)
	}
	read := func(flags ...string) string {
		out, err := exec.CommandContext(t.Context(), "dnstap-read", append(flags, file)...).CombinedOutput()
		if err != nil {
			t.Fatalf("dnstap-read: %v: %s", err, out)
		}
		return string(out)
	}
	lines := strings.Split(strings.TrimSpace(read()), "\n")
	if len(lines) != 200 {
		t.Fatalf("%d frames", len(lines))
	}
	for i, want := range []string{
		"AQ 198.51.100.77:4444 -> 192.0.2.53:53 UDP 29b n0.app.test/IN/A",
		"AR 198.51.100.77:4444 <- 192.0.2.53:53 UDP 29b n0.app.test/IN/A",
		"AQ 198.51.100.77:4444 -> 192.0.2.53:53 TCP 29b n1.app.test/IN/A",
	} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("frame %d is read as %q, want %q", i, lines[i], want)
		}
	}
	for _, want := range []string{"identity: ns1", "version: landfall", "type: AUTH_QUERY", "type: AUTH_RESPONSE", `query_address: "198.51.100.77"`, "opcode: QUERY"} {
		if got := read("-y"); !strings.Contains(strings.ToLower(got), strings.ToLower(want)) {
			t.Errorf("no %q in\n%.1500s", want, got)
		}
	}
}

func FuzzReadControl(f *testing.F) {
	f.Add(control(controlAccept, content))
	f.Add(control(controlFinish, ""))
	f.Add([]byte{0, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		if _, err := readControl(r); err == nil && len(b)-r.Len() > maxControl+8 {
			t.Errorf("%d bytes were read", len(b)-r.Len())
		}
	})
}
