package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAFrontThatCannotBeEndsTheStart: before anybody hears that the node
// serves.
func TestAFrontThatCannotBeEndsTheStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node")
	if _, err := Init(t.Context(), founding(t, dir)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "node.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("\n[mesh]\nfront = \"tun\"\n")
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with its rights
		if err := withoutRights(); err != nil {
			ended <- err
			return
		}
		ended <- Run(t.Context(), Config{Dir: dir, Log: slog.New(slog.DiscardHandler), Started: func(Serving) {
			t.Error("it says that it serves")
		}})
	}()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "CAP_NET_ADMIN") || !strings.Contains(err.Error(), `front "tun"`) {
		t.Errorf("it ends with %v", err)
	}
}

// withoutRights takes the calling thread's right to administer the network.
func withoutRights() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return err
	}
	data[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	return unix.Capset(&head, &data[0])
}
