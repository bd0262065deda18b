package mesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/netstack"
	"landfall/mesh/tun"
	"landfall/mesh/tun/filter"
)

// Front is what streams are made of.
type Front struct {
	Name string // FrontTUN, FrontNetstack, or "packets" for a front handed in
	Why  string // it is not the kernel's, though it might be; empty if it is, or was asked for
}

// device is the file that tunnels are made with.
const device = "/dev/net/tun"

// CanFront reports why a process may not have the front that it asks for,
// before anything is made; nil is that it may.
func CanFront(name string) error {
	if name != FrontTUN {
		return nil
	}
	if err := capable(); err != nil {
		return fmt.Errorf("mesh front %q: %w (under systemd AmbientCapabilities=CAP_NET_ADMIN; front = %q needs no such right)", name, err, FrontNetstack)
	}
	return nil
}

func checkFront(name string) error {
	if !slices.Contains([]string{"", FrontAuto, FrontTUN, FrontNetstack}, name) {
		return fmt.Errorf("mesh: there is no front %q (want %q, %q or %q)", name, FrontAuto, FrontTUN, FrontNetstack)
	}
	return nil
}

// openFront makes the front that is wanted, or the one that can be.
func (m *Mesh) openFront(up *running) error {
	if p := m.cfg.Packets; p != nil {
		up.packets = p
		up.streams, _ = p.(front.Streams)
		up.front.Name = "packets"
		return nil
	}
	f, err := m.makeFront(up)
	if err != nil {
		return fmt.Errorf("mesh front: %w", err)
	}
	up.packets, up.streams = f, f
	device := ""
	if k, ok := f.(*tun.Front); ok {
		device = k.Name()
		up.packets = newEars(k, device, m.addr, k.Health)
	}
	m.log.Info("mesh front", "front", up.front.Name, "device", device, "addr", m.addr)
	return nil
}

func (m *Mesh) makeFront(up *running) (front.Front, error) {
	name := m.cfg.Front
	if name == "" || name == FrontAuto {
		why := m.noTUN()
		if why == nil {
			f, err := m.heard()
			if err == nil {
				up.front.Name = FrontTUN
				return f, nil
			}
			why = err
		}
		level := slog.LevelInfo
		if errors.Is(why, errUnheard) {
			level = slog.LevelWarn // this an operator can mend
		}
		m.log.Log(context.Background(), level, "streams are made in this process, as the kernel cannot make them", "front", FrontNetstack, "why", why)
		name, up.front.Why = FrontNetstack, why.Error()
	}
	up.front.Name = name
	if name == FrontTUN {
		return m.heard()
	}
	return netstack.New(netstack.Config{Addr: m.addr, Timeout: m.cfg.Timeout, Log: m.log})
}

// heard is a front of the kernel's that what comes from the mesh passes.
func (m *Mesh) heard() (front.Front, error) {
	f, err := m.tun()
	if err != nil {
		return nil, err
	}
	if err := knock(f, m.addr, knockTime); err != nil {
		return nil, deafTo(f.Name(), err)
	}
	return f, nil
}

func (m *Mesh) tun() (*tun.Front, error) {
	rules, err := m.cfg.filter()
	if err != nil {
		return nil, err
	}
	return tun.New(tun.Config{
		Network: m.cfg.Network, Addr: m.addr, Prefix: landfall.MeshPrefix(), Timeout: m.cfg.Timeout, Filter: rules, Log: m.log,
	})
}

// filter is what peers reach on this machine.
func (c *Config) filter() (f filter.Config, err error) {
	f.First, f.Last = firstPort, firstPort+uint16(len(landfall.MeshServices()))-1
	for _, s := range c.Allow {
		r, err := filter.ParseRule(s)
		if err != nil {
			return f, fmt.Errorf("mesh: allow: %w", err)
		}
		f.Allow = append(f.Allow, r)
	}
	return f, nil
}

// Refused tells what peers tried to reach on this machine and may not: how
// many packets, and the last one, such as "tcp/22 from nyc1"; empty for none.
func (m *Mesh) Refused() (packets uint64, last string) {
	f := m.kernel()
	if f == nil {
		return 0, ""
	}
	for _, n := range f.Stats().Refused {
		packets += n
	}
	if packets == 0 {
		return 0, ""
	}
	r := f.LastRefused()
	from, known := (*m.names.Load())[r.From]
	if !known {
		return packets, fmt.Sprintf("%v from %v", r.Asked, r.From)
	}
	return packets, fmt.Sprintf("%v from %s", r.Asked, from)
}

// FrontStats are the numbers of the kernel's front; none without it.
func (m *Mesh) FrontStats() tun.Stats {
	if f := m.kernel(); f != nil {
		return f.Stats()
	}
	return tun.Stats{}
}

// kernel is the front if it is the kernel's.
func (m *Mesh) kernel() *tun.Front {
	if up := m.now(); up != nil {
		f, _ := up.streams.(*tun.Front)
		return f
	}
	return nil
}

// noTUN is why this process should not have a device of the kernel's; nil is
// that it may.
func (m *Mesh) noTUN() error {
	m.mu.Lock()
	current := m.current
	m.mu.Unlock()
	if err := unlooped(current, m.cfg.Self); err != nil {
		return err
	}
	if err := capable(); err != nil {
		return err
	}
	return unused()
}

// capable finds out whether a device can be made.
func capable() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return fmt.Errorf("capabilities of this process: %w", err)
	}
	if data[0].Effective&(1<<unix.CAP_NET_ADMIN) == 0 {
		return errors.New("the process does not have CAP_NET_ADMIN")
	}
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// unlooped refuses nodes whose peers reach them on a loopback device: they
// are several on one machine, and one kernel would have the addresses of all.
func unlooped(m *landfall.Map, self landfall.NodeID) error {
	if m == nil {
		return nil
	}
	me, _ := m.Node(self)
	for _, e := range me.Endpoints {
		if e.Addr().IsLoopback() {
			return fmt.Errorf("peers reach this node at %v, where others may be as well", e)
		}
	}
	return nil
}

// unused makes sure that no other node here has a device.
func unused() error {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("addresses of this machine: %w", err)
	}
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && landfall.MeshPrefix().Contains(p.Addr()) {
			return fmt.Errorf("this machine has the address %v in a mesh already", p.Addr())
		}
	}
	return nil
}
