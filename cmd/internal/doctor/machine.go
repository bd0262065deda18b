package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a busy node wants of its kernel.
const (
	wantFiles  = 65536   // a connection of a user's takes two
	leastFiles = 4096    // below, it will not do
	wantBuffer = 7500000 // of a UDP socket: 50 ms of a full gigabit
)

// limits judges how many files the process may open.
func (p *patient) limits(_ context.Context, n *notes) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		n.warn("ulimit -n", "the limit of open files is not known: %v", err)
		return
	}
	n.list = append(n.list, judgeFiles(l.Cur, l.Max)...)
}

func judgeFiles(soft, hard uint64) []Finding {
	n := notes{check: "limits"}
	const cure = "mkdir -p /etc/systemd/system/landfall.service.d\n" +
		"printf '[Service]\\nLimitNOFILE=65536\\n' > /etc/systemd/system/landfall.service.d/files.conf\n" +
		"systemctl daemon-reload && systemctl restart landfall"
	most := min(soft, hard)
	switch {
	case most < leastFiles:
		n.fail(cure, "the process may open %d files: some hundred users fill that", most)
	case most < wantFiles:
		n.warn(cure, "the process may open %d files (%d at most); %d are wanted", soft, hard, wantFiles)
	default:
		n.ok("the process may open %d files", most)
	}
	return n.list
}

// kernel judges how the kernel is set.
func (p *patient) kernel(_ context.Context, n *notes) {
	read := func(name string) string {
		b, err := fs.ReadFile(p.Proc, name)
		if err != nil {
			return "" // this kernel has no such thing
		}
		return strings.TrimSpace(string(b))
	}
	release := read("sys/kernel/osrelease")
	judgeCongestion(n, read("sys/net/ipv4/tcp_congestion_control"), read("sys/net/ipv4/tcp_available_congestion_control"))
	for _, name := range []string{"rmem_max", "wmem_max"} {
		judgeBuffer(n, name, read("sys/net/core/"+name))
	}
	judgeConntrack(n, read("sys/net/netfilter/nf_conntrack_count"), read("sys/net/netfilter/nf_conntrack_max"))
	if len(n.list) == 0 {
		n.ok("Linux %s is set as a node wants it", release)
	}
}

// persist sets a kernel variable now and after each start.
func persist(name, value string) string {
	return fmt.Sprintf("sysctl -w %s=%s && echo '%s = %s' >> /etc/sysctl.d/60-landfall.conf", name, value, name, value)
}

func judgeCongestion(n *notes, now, available string) {
	if now == "bbr" || now == "" {
		return
	}
	cure := persist("net.ipv4.tcp_congestion_control", "bbr")
	if !slices.Contains(strings.Fields(available), "bbr") {
		cure = "modprobe tcp_bbr && echo tcp_bbr > /etc/modules-load.d/landfall.conf && " + cure
	}
	n.warn(cure, "TCP to users goes by %q: where packets are lost by the way, bbr is several times as fast", now)
}

func judgeBuffer(n *notes, name, value string) {
	have, err := strconv.ParseUint(value, 10, 64)
	if err != nil || have >= wantBuffer {
		return
	}
	n.warn(persist("net.core."+name, strconv.Itoa(wantBuffer)), "a UDP socket may buffer %d bytes (net.core.%s): WireGuard drops packets in bursts", have, name)
}

func judgeConntrack(n *notes, count, limit string) {
	c, errCount := strconv.ParseUint(count, 10, 64)
	m, errMax := strconv.ParseUint(limit, 10, 64)
	if errCount != nil || errMax != nil || m == 0 || c < m/5*4 {
		return
	}
	level := Warn
	if c >= m/100*95 {
		level = Fail
	}
	n.add(level, persist("net.netfilter.nf_conntrack_max", strconv.FormatUint(m*4, 10)), "the firewall's table of connections holds %d of %d: new ones are dropped once it is full", c, m)
}
