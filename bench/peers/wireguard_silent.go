package peers

import (
	"os"
	"sync"

	"golang.zx2c4.com/wireguard/tun"
)

// silent is a tun.Device that has no packets, and drops what it is given.
type silent struct {
	events chan tun.Event
	over   chan struct{}
	once   sync.Once
}

func newSilent() *silent { return &silent{events: make(chan tun.Event), over: make(chan struct{})} }

func (s *silent) Read([][]byte, []int, int) (int, error) {
	<-s.over
	return 0, os.ErrClosed
}

func (s *silent) Write(bufs [][]byte, _ int) (int, error) { return len(bufs), nil }
func (s *silent) File() *os.File                          { return nil }
func (s *silent) MTU() (int, error)                       { return WireGuardMTU, nil }
func (s *silent) Name() (string, error)                   { return "silent", nil }
func (s *silent) Events() <-chan tun.Event                { return s.events }
func (s *silent) BatchSize() int                          { return 1 }

func (s *silent) Close() error {
	s.once.Do(func() { close(s.over); close(s.events) })
	return nil
}
