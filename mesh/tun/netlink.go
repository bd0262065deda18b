//go:build linux

package tun

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// queueLength is how many packets, of up to 64 KiB, wait for Read: beyond it
// the kernel drops. Its own 500 is little for long fat pipes.
const queueLength = 1000

// addrGenNone keeps the kernel from giving the device addresses of its own
// (IN6_ADDR_GEN_MODE_NONE).
const addrGenNone = 1

// configure sets up a device: MTU and queue, address and route.
func configure(name string, mtu int, addr netip.Addr, prefix netip.Prefix) error {
	dev, err := net.InterfaceByName(name)
	if err != nil {
		return fmt.Errorf("look up: %w", err)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	defer unix.Close(fd)
	for i, step := range []struct {
		deed    string
		request []byte
	}{
		{"set MTU and queue", setLink(dev.Index, mtu)},
		{"bring up", bringUp(dev.Index)},
		{"add address " + addr.String(), addAddress(dev.Index, addr)},
		{"add route " + prefix.String(), addRoute(dev.Index, addr, prefix)},
	} {
		if err := ask(fd, uint32(i+1), step.request); err != nil {
			return fmt.Errorf("%s: %w%s", step.deed, err, configureCure(err))
		}
	}
	return nil
}

func configureCure(err error) string {
	switch {
	case errors.Is(err, unix.EPERM):
		return needsRight
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENODEV):
		return " (IPv6 is off: sysctl net.ipv6.conf.default.disable_ipv6=0 and net.ipv6.conf.all.disable_ipv6=0, and no ipv6.disable=1 on the kernel's command line)"
	}
	return ""
}

// setLink asks for RTM_NEWLINK: MTU and queue, and no addresses that nobody
// asked for. The kernel would make those as soon as the device is up.
func setLink(index, mtu int) []byte {
	b := link(index, 0, 0)
	b = attr(b, unix.IFLA_MTU, native32(nil, uint32(mtu)))
	b = attr(b, unix.IFLA_TXQLEN, native32(nil, queueLength))
	inet6 := attr(nil, unix.IFLA_INET6_ADDR_GEN_MODE, []byte{addrGenNone})
	return attr(b, unix.IFLA_AF_SPEC, attr(nil, unix.AF_INET6, inet6))
}

// setMTU asks for that alone, which is possible without IPv6, too.
func setMTU(index, mtu int) []byte {
	return attr(link(index, 0, 0), unix.IFLA_MTU, native32(nil, uint32(mtu)))
}

func bringUp(index int) []byte { return link(index, unix.IFF_UP, unix.IFF_UP) }

func takeDown(index int) []byte { return link(index, 0, unix.IFF_UP) }

// link begins a request for RTM_NEWLINK, to set those flags that are to
// change (struct ifinfomsg).
func link(index int, flags, change uint32) []byte {
	b := append(request(unix.RTM_NEWLINK, 0), unix.AF_UNSPEC, 0, 0, 0)
	b = native32(b, uint32(index))
	return native32(native32(b, flags), change)
}

// addAddress asks for RTM_NEWADDR. Nobody else can have the address, so there
// is nothing to detect before it may be used (RFC 4862, 5.4).
func addAddress(index int, addr netip.Addr) []byte {
	b := request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	b = append(b, unix.AF_INET6, 128, unix.IFA_F_NODAD, unix.RT_SCOPE_UNIVERSE)
	b = native32(b, uint32(index))
	b = attr(b, unix.IFA_LOCAL, addr.AsSlice())
	return attr(b, unix.IFA_ADDRESS, addr.AsSlice())
}

// addRoute asks for RTM_NEWROUTE. Devices of several networks may lead to the
// same prefix: bound sockets tell them apart, others get the first.
func addRoute(index int, src netip.Addr, prefix netip.Prefix) []byte {
	b := request(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_APPEND)
	b = append(b, unix.AF_INET6, byte(prefix.Bits()), 0, 0,
		unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST)
	b = native32(b, 0)
	b = attr(b, unix.RTA_DST, prefix.Masked().Addr().AsSlice())
	b = attr(b, unix.RTA_OIF, native32(nil, uint32(index)))
	return attr(b, unix.RTA_PREFSRC, src.AsSlice())
}

// removeRoute asks for RTM_DELROUTE.
func removeRoute(index int, prefix netip.Prefix) []byte {
	b := append(request(unix.RTM_DELROUTE, 0), unix.AF_INET6, byte(prefix.Bits()), 0, 0,
		unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST)
	b = native32(b, 0)
	b = attr(b, unix.RTA_DST, prefix.Masked().Addr().AsSlice())
	return attr(b, unix.RTA_OIF, native32(nil, uint32(index)))
}

// request begins a message (struct nlmsghdr); ask fills in the rest.
func request(kind, flags uint16) []byte {
	b := make([]byte, unix.SizeofNlMsghdr, 128)
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	return b
}

func native32(b []byte, v uint32) []byte { return binary.NativeEndian.AppendUint32(b, v) }

// attr appends an attribute (struct rtattr), aligned to 4 bytes.
func attr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}

// ask sends a request and waits for the kernel's answer to it.
func ask(fd int, number uint32, b []byte) error {
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint32(b[8:], number)
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(fd, answer, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		h := answer[:n]
		if len(h) < unix.SizeofNlMsgerr || binary.NativeEndian.Uint16(h[4:]) != unix.NLMSG_ERROR || binary.NativeEndian.Uint32(h[8:]) != number {
			continue
		}
		if errno := int32(binary.NativeEndian.Uint32(h[unix.SizeofNlMsghdr:])); errno != 0 {
			return unix.Errno(-errno)
		}
		return nil
	}
}
