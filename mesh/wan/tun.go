package wan

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OpenTUN makes a TUN device in the network namespace of the calling thread
// (or opens one that waits there): each read of the file is one IP packet that
// the kernel routed to the device, each write is one that comes out of it. The
// file works from every thread. It is for the caller to set the device up;
// closing the file removes it. It takes the right to administer the network.
func OpenTUN(name string) (*os.File, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return nil, fmt.Errorf("tun device %q: %w", name, err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make tun device %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
