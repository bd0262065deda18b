package netlab

import (
	"fmt"
	"net/netip"
	"strings"
)

// translation is 1:1 NAT as clouds do it: whole addresses, all ports, and a
// host that sends to its own outside address reaches itself.
func translation(outside, inside netip.Addr) string {
	return fmt.Sprintf(`table ip nat {
	chain in {
		type nat hook prerouting priority dstnat
		ip daddr %[1]v dnat to %[2]v
	}
	chain out {
		type nat hook postrouting priority srcnat
		ip saddr %[2]v snat to %[1]v
	}
}`, outside, inside)
}

// unplugged loses all that goes to or comes from some addresses.
func unplugged(table string, addrs []netip.Addr) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n\tchain forward {\n\t\ttype filter hook forward priority filter\n", table)
	for _, a := range addrs {
		family := "ip"
		if a.Is6() {
			family = "ip6"
		}
		fmt.Fprintf(&b, "\t\t%[1]s saddr %[2]v drop\n\t\t%[1]s daddr %[2]v drop\n", family, a)
	}
	b.WriteString("\t}\n}")
	return b.String()
}

// rules are the firewall for nftables.
func (f Firewall) rules() string {
	var b strings.Builder
	b.WriteString(`table inet firewall {
	chain input {
		type filter hook input priority filter; policy drop
		iif lo accept
		ct state established,related accept
		meta l4proto { icmp, ipv6-icmp } accept
`)
	open := func(proto string, ports []uint16) {
		for _, p := range ports {
			fmt.Fprintf(&b, "\t\t%s dport %d accept\n", proto, p)
		}
	}
	open("tcp", f.TCP)
	open("udp", f.UDP)
	b.WriteString("\t}\n}")
	return b.String()
}
