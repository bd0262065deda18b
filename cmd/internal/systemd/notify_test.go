package systemd

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// manager is the receiving end of $NOTIFY_SOCKET.
func manager(t *testing.T) *net.UnixConn {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return c
}

func heard(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestManagerHearsHowTheServiceFares(t *testing.T) {
	c := manager(t)
	for _, test := range []struct {
		tell func() error
		want string
	}{
		{func() error { return Ready("serving by map 7") }, "READY=1\nSTATUS=serving by map 7"},
		{func() error { return Status("waiting for fra1") }, "STATUS=waiting for fra1"},
		{func() error { return Status("two\nREADY=1\r\nlines") }, "STATUS=two READY=1 lines"},
		{Stopping, "STOPPING=1"},
		{func() error { return MainPID(4711) }, "MAINPID=4711"},
	} {
		if err := test.tell(); err != nil {
			t.Fatal(err)
		}
		if got := heard(t, c); got != test.want {
			t.Errorf("manager hears %q, want %q", got, test.want)
		}
	}
}

func TestWithoutManagerNothingIsSaid(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Ready("serving"); err != nil {
		t.Error(err)
	}
}

func TestManagerThatIsGoneIsAnError(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	if err := Ready("serving"); err == nil || !strings.Contains(err.Error(), "$NOTIFY_SOCKET") {
		t.Errorf("error %v, want one that names $NOTIFY_SOCKET", err)
	}
}
