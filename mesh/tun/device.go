//go:build linux

package tun

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/tun"
)

const cloneDevice = "/dev/net/tun"

// errClosed is what Read and Write return at the end.
var errClosed = os.ErrClosed

// deviceName is the name of a network's device.
func deviceName(network string) string {
	name := "lf-" + network
	return name[:min(len(name), unix.IFNAMSIZ-1)]
}

// openDevice makes a device, and tells the kernel of its address and what it
// leads to. It goes away when it is closed, with the process at the latest.
func openDevice(name string, mtu int, addr netip.Addr, prefix netip.Prefix) (tun.Device, error) {
	fd, err := cloneTUN(name)
	if err != nil {
		return nil, err
	}
	d, _, err := tun.CreateUnmonitoredTUNFromFD(fd)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("device %s: offloads: %w", name, err)
	}
	if err := configure(name, mtu, addr, prefix); err != nil {
		return nil, errors.Join(fmt.Errorf("device %s: %w", name, err), d.Close())
	}
	return d, nil
}

func cloneTUN(name string) (int, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return -1, fmt.Errorf("device name %q: %w", name, err)
	}
	fd, err := unix.Open(cloneDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w%s", cloneDevice, err, openCure(err))
	}
	// Exclusive: a device that somebody keeps is not ours to configure.
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR | unix.IFF_TUN_EXCL)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("make device %s: %w%s", name, err, makeCure(err))
	}
	return fd, nil
}

const needsRight = " (CAP_NET_ADMIN is needed: under systemd AmbientCapabilities=CAP_NET_ADMIN; the netstack front needs no such right)"

func openCure(err error) string {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return " (the kernel has no TUN devices here: modprobe tun, or let the container have " + cloneDevice + ")"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return needsRight
	}
	return ""
}

func makeCure(err error) string {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return needsRight
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		return " (another process has a device of that name: is the node running already?)"
	}
	return ""
}

// closedError makes one error of those that a closed device gives.
func closedError(err error) error {
	if errors.Is(err, unix.EBADFD) || errors.Is(err, unix.EBADF) || errors.Is(err, os.ErrClosed) {
		return errClosed
	}
	return err
}
