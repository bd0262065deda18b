package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"

	"landfall/mesh/wan"
)

// ocean is the kind of end that carries packets between two others: it stands
// alone in its process, which collects no garbage.
const ocean = "the ocean"

// routed is what the ocean's device is called; routedTable has the routes of
// what comes from its shores.
const (
	routed      = "wan"
	routedTable = "100"
	shoreGate   = "169.254.0.1"
)

// far are two rooms with an emulated link between them:
//
//	room 0 -- wire --.                    .-- wire -- room 1
//	                 '-- middle: router --'
type far struct {
	pair
	middle *room
	router *side
}

// newFar makes them, a link apart in both directions.
func newFar(ctx context.Context, link wan.Link) (f *far, err error) {
	f = new(far)
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	for _, r := range []**room{&f.middle, &f.pair[0], &f.pair[1]} {
		if *r, err = newRoom(); err != nil {
			return f, err
		}
	}
	if err := f.middle.forward(); err != nil {
		return f, err
	}
	config := endConfig{Kind: ocean, Link: link}
	for i := range f.pair {
		config.Wire = append(config.Wire, pairAddr(i))
	}
	if f.router, err = startSide(f.middle, config); err != nil {
		return f, err
	}
	if _, err := f.router.tell(order{Do: "open"}); err != nil {
		return f, err
	}
	return f, f.wire(ctx)
}

// forward makes a room pass packets on, which come in by another device than
// answers leave by.
func (r *room) forward() error {
	return r.do(func() error {
		for name, value := range map[string]string{"ip_forward": "1", "conf/all/rp_filter": "0", "conf/default/rp_filter": "0"} {
			if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// wire joins both rooms to the middle one.
func (f *far) wire(ctx context.Context) error {
	if err := f.middle.ip(ctx,
		"link set lo up", "link set "+routed+" mtu 1500 txqueuelen 10000 up",
		"rule add pref 10 iif "+routed+" lookup main", "rule add pref 20 lookup "+routedTable,
		"route add default dev "+routed+" table "+routedTable); err != nil {
		return err
	}
	for i, r := range f.pair {
		shore := fmt.Sprint("shore", i)
		host := netip.PrefixFrom(pairAddr(i), 32).String()
		if err := f.middle.ip(ctx, "link add "+shore+" type veth peer name "+veth+" netns "+r.path(),
			"link set "+shore+" addrgenmode none up", "addr add "+shoreGate+"/32 dev "+shore, "route add "+host+" dev "+shore); err != nil {
			return err
		}
		if err := r.ip(ctx, "link set lo up", "link set "+veth+" addrgenmode none up", "addr add "+host+" dev "+veth,
			"route add default via "+shoreGate+" dev "+veth+" onlink"); err != nil {
			return err
		}
	}
	return nil
}

// phase does something and says how late the emulator was meanwhile.
func (f *far) phase(do func() error) (wan.Phase, error) {
	if _, err := f.router.tell(order{Do: "begin"}); err != nil {
		return wan.Phase{}, err
	}
	err := do()
	a, e := f.router.tell(order{Do: "end"})
	return a.Phase, errors.Join(err, e)
}

func (f *far) close() (err error) {
	if f.router != nil {
		err = f.router.stop()
	}
	f.pair.close()
	if f.middle != nil {
		f.middle.close()
	}
	return err
}

// openOcean is the ocean's life in its own process.
func (e *end) openOcean() error {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(512 << 20)
	dev, err := wan.OpenTUN(routed)
	if err != nil {
		return err
	}
	n := wan.New(1)
	if _, err := n.ExactRouter(dev); err != nil {
		return errors.Join(err, dev.Close())
	}
	e.stop = n.Close
	for i, a := range e.Wire {
		n.SetSite(netip.AddrPortFrom(a, 0), shoreSite(i))
	}
	e.begin = func() { e.finish = n.Phase(ocean) }
	return n.Connect(shoreSite(0), shoreSite(1), e.Link)
}

func shoreSite(i int) wan.Site { return wan.Site(fmt.Sprint(i)) }
