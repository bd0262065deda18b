package labrouter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"landfall/cmd/internal/netlab"
	"landfall/mesh/wan"
)

// The descriptors that the process finds open.
const (
	deviceFD = 3 + iota
	talkFD
)

// order is what the router is told.
type order struct {
	Do       string // one of the words below
	Seed     uint64
	Addr     netip.Addr
	From, To wan.Site
	Link     wan.Link
	NAT      wan.NAT
	Inside   []netip.Addr
	Phase    string
	Guard    []uint64
}

// The orders; the first one is doStart.
const (
	doStart = "start"
	doSite  = "site"
	doLink  = "link"
	doNAT   = "nat"
	doGuard = "guard"
	doBegin = "begin"
	doEnd   = "end"
)

// answer is what it says to an order.
type answer struct {
	Err      string
	Priority string
	Phase    wan.Phase
}

// memoryLimit is where garbage is collected after all: what a router needs
// for packets, and as much again.
const memoryLimit = 512 << 20

// Serve is the life of the process that Start starts: it carries packets
// until its descriptor for orders is closed. Nothing else may run in it.
func Serve() error {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(memoryLimit)
	runtime.GOMAXPROCS(max(2, runtime.NumCPU())) // the router's thread keeps one for itself
	wan.PromoteProcess()                         // the router says what became of it
	talk := os.NewFile(talkFD, "orders")
	if talk == nil {
		return errors.New("the router's process is started by a lab, not by hand")
	}
	defer talk.Close()
	s := &server{}
	return errors.Join(s.serve(talk), s.close())
}

func (s *server) serve(talk *os.File) error {
	in, out := json.NewDecoder(talk), json.NewEncoder(talk)
	for {
		var o order
		if err := in.Decode(&o); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("router's orders: %w", err)
		}
		if err := out.Encode(s.obey(o)); err != nil {
			return fmt.Errorf("router's answers: %w", err)
		}
	}
}

type server struct {
	wan    *wan.Network
	router *wan.Router
	end    func() wan.Phase

	guarded []uint64
}

// close ends all, the hosts of a lab that died without having said so too.
func (s *server) close() error {
	if s.wan != nil {
		s.wan.Close()
	}
	return netlab.Evict(s.guarded...)
}

func (s *server) obey(o order) (a answer) {
	var err error
	switch {
	case o.Do == doStart && s.wan == nil:
		err = s.start(o.Seed)
	case s.wan == nil:
		err = errors.New("the first order is another one")
	case o.Do == doSite:
		s.wan.SetSite(netip.AddrPortFrom(o.Addr, 0), o.From)
	case o.Do == doLink:
		err = s.wan.SetLink(o.From, o.To, o.Link)
	case o.Do == doNAT:
		err = s.router.SetNAT(o.NAT, o.Inside...)
	case o.Do == doGuard:
		s.guarded = o.Guard
	case o.Do == doBegin:
		s.end = s.wan.Phase(o.Phase)
	case o.Do == doEnd && s.end != nil:
		a.Phase = s.end()
	default:
		err = fmt.Errorf("unknown order %q", o.Do)
	}
	if err == nil {
		a.Priority, err = s.router.Priority(), s.alive()
	}
	if err != nil {
		a.Err = err.Error()
	}
	return a
}

func (s *server) start(seed uint64) (err error) {
	s.wan = wan.New(seed)
	// What is handed from process to process begins to block on the way.
	if err := unix.SetNonblock(deviceFD, true); err != nil {
		return fmt.Errorf("the device: %w", err)
	}
	s.router, err = s.wan.ExactRouter(os.NewFile(deviceFD, "tun"))
	return err
}

// alive tells of a router that ended by itself.
func (s *server) alive() error {
	select {
	case <-s.router.Ended():
		return s.router.Close()
	default:
		return nil
	}
}
