package lab

import (
	"context"
	"os"
	"os/exec"
	"time"

	"landfall/cmd/internal/labrouter"
	"landfall/cmd/internal/netlab"
	"landfall/mesh/wan"
)

// What a lab is made of, from the package that makes it.
type (
	Config   = netlab.Config
	Link     = netlab.Link
	Server   = netlab.Server
	Firewall = netlab.Firewall
	Program  = netlab.Program
	Process  = netlab.Process
	Carrier  = netlab.Carrier
)

// RTT is a Link with nothing but a round trip time.
func RTT(a, b wan.Site, rtt time.Duration) Link { return netlab.RTT(a, b, rtt) }

// Apart is a Config.Carrier in a process of its own, where nothing else delays
// packets: a program that calls ServeRouter.
func Apart(seed uint64, program *exec.Cmd) func(dev *os.File) (Carrier, error) {
	return func(dev *os.File) (Carrier, error) {
		c, err := labrouter.Start(seed, dev, program)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}

// ServeRouter is the life of that process. Nothing else may run in it.
func ServeRouter() error { return labrouter.Serve() }

// Lab is a netlab.Lab whose hosts know the world's services.
type Lab struct {
	*netlab.Lab
	config Config
	hosts  map[string]*Host
}

// Host is a host of a Lab.
type Host struct {
	*netlab.Host
	lab *Lab
}

// Open builds what the config says, or nothing at all. The context bounds the
// building only.
func Open(ctx context.Context, c Config) (*Lab, error) {
	inner, err := netlab.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	l := &Lab{Lab: inner, config: c, hosts: map[string]*Host{}}
	for _, s := range c.Hosts {
		l.hosts[s.Name] = &Host{Host: inner.Host(s.Name), lab: l}
	}
	return l, nil
}

// Host is the host of a name that the config has; of another it is nil.
func (l *Lab) Host(name string) *Host { return l.hosts[name] }
