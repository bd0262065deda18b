package peers

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"
	"golang.zx2c4.com/wireguard/tun/netstack"

	"landfall"
)

// WireGuardMTU is what wireguard-go's own program gives its devices.
const WireGuardMTU = device.DefaultMTU

// Tunnel is an end of upstream's wireguard-go, as its authors put it together:
// its device on its sockets.
type Tunnel struct {
	Key    landfall.PrivateKey
	Listen uint16
	Addr   netip.Addr // inside
	Peers  []TunnelPeer
}

// TunnelPeer is another end.
type TunnelPeer struct {
	Key       landfall.PublicKey
	Endpoint  netip.AddrPort // invalid: it is heard of first
	Addr      netip.Addr     // inside
	Keepalive int            // seconds; 0 is never
}

// Kernel runs it behind a TUN device of that name; the kernel has the address
// and routes to the peers.
func (t Tunnel) Kernel(ctx context.Context, name string) (stop func(), err error) {
	dev, err := tun.CreateTUN(name, WireGuardMTU)
	if err != nil {
		return nil, fmt.Errorf("wireguard: %w", err)
	}
	if stop, err = t.run(dev); err != nil {
		return nil, err
	}
	lines := [][]string{
		{"addr", "add", netip.PrefixFrom(t.Addr, t.Addr.BitLen()).String(), "dev", name, "nodad"},
		{"link", "set", name, "up"},
		{"route", "add", landfall.MeshPrefix().String(), "dev", name},
	}
	for _, line := range lines {
		if out, err := exec.CommandContext(ctx, "ip", append([]string{"-6"}, line...)...).CombinedOutput(); err != nil {
			stop()
			return nil, fmt.Errorf("wireguard: ip %v: %w\n%s", line, err, out)
		}
	}
	return stop, nil
}

// Netstack runs it behind upstream's TCP/IP in this process.
func (t Tunnel) Netstack() (stack *netstack.Net, stop func(), err error) {
	dev, stack, err := netstack.CreateNetTUN([]netip.Addr{t.Addr}, nil, WireGuardMTU)
	if err != nil {
		return nil, nil, fmt.Errorf("wireguard: %w", err)
	}
	stop, err = t.run(dev)
	return stack, stop, err
}

// Silent runs it behind a device that has nothing to say.
func (t Tunnel) Silent() (stop func(), err error) { return t.run(newSilent()) }

func (t Tunnel) run(dev tun.Device) (stop func(), err error) {
	d := device.NewDevice(dev, conn.NewDefaultBind(), device.NewLogger(device.LogLevelSilent, ""))
	key := t.Key.Bytes()
	var conf strings.Builder
	fmt.Fprintf(&conf, "private_key=%s\nlisten_port=%d\n", hex.EncodeToString(key[:]), t.Listen)
	for _, p := range t.Peers {
		fmt.Fprintf(&conf, "public_key=%s\nallowed_ip=%v\n", hex.EncodeToString(p.Key[:]), netip.PrefixFrom(p.Addr, p.Addr.BitLen()))
		if p.Endpoint.IsValid() {
			fmt.Fprintf(&conf, "endpoint=%v\n", p.Endpoint)
		}
		if p.Keepalive > 0 {
			fmt.Fprintf(&conf, "persistent_keepalive_interval=%d\n", p.Keepalive)
		}
	}
	if err := errors.Join(d.IpcSet(conf.String()), d.Up()); err != nil {
		d.Close()
		return nil, fmt.Errorf("wireguard: %w", err)
	}
	return d.Close, nil
}
