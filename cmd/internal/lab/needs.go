package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"landfall/cmd/internal/config"
)

// needs says all that the machine lacks to run a lab.
func needs(l config.Lab) error {
	var faults []error
	if os.Geteuid() != 0 {
		faults = append(faults, errors.New("a lab takes root, for network namespaces and a TUN device: try sudo"))
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		faults = append(faults, fmt.Errorf("the kernel offers no TUN devices: try modprobe tun: %w", err))
	}
	if _, err := exec.LookPath("ip"); err != nil {
		faults = append(faults, errors.New("there is no ip here: install the Debian package iproute2"))
	}
	if _, err := exec.LookPath("nft"); err != nil && filters(l) {
		faults = append(faults, errors.New("there is no nft here, which firewalls, one-to-one NAT and unplugging take: install the Debian package nftables"))
	}
	return errors.Join(faults...)
}

// filters reports whether a lab has use for nftables.
func filters(l config.Lab) bool {
	for _, h := range l.Hosts {
		if h.Closed || h.NAT == config.LabOneToOne {
			return true
		}
	}
	for _, p := range l.Phases {
		for _, e := range p.Events {
			if e.Unplug != "" || e.Plug != "" {
				return true
			}
		}
	}
	return false
}
