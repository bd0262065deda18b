package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
)

func TestJudgeClocks(t *testing.T) {
	node := func(id landfall.NodeID, ahead time.Duration) reading {
		return reading{"node " + string(id), id, ahead, 100 * time.Millisecond}
	}
	for when, tt := range map[string]struct {
		others []reading
		want   []string
	}{
		"alone":               {nil, nil},
		"two that agree":      {[]reading{node("nyc1", time.Second)}, []string{"ok 2 clocks agree"}},
		"two that do not":     {[]reading{node("nyc1", 3*time.Second)}, []string{"warn the clocks of this node and node nyc1 are 3s apart: one of them is wrong | on nyc1: timedatectl set-ntp true"}},
		"two an hour apart":   {[]reading{node("nyc1", -time.Hour)}, []string{"fail the clocks of node nyc1 and this node are 1h0m0s apart"}},
		"we are off":          {[]reading{node("nyc1", time.Hour), node("sin1", time.Hour)}, []string{"fail the clock of this node is 1h0m0s behind the others | on fra1: timedatectl"}},
		"another is off":      {[]reading{node("nyc1", 10*time.Second), node("sin1", 0)}, []string{"warn the clock of node nyc1 is 10s ahead of the others | on nyc1: timedatectl"}},
		"as far as is known":  {[]reading{{"node nyc1", "nyc1", 3 * time.Second, 2 * time.Second}, node("sin1", 0)}, []string{"ok 3 clocks agree"}},
		"with the authority":  {[]reading{node("nyc1", -time.Hour), {"the certificate authority", "", -time.Hour, time.Second}}, []string{"fail the clock of this node is 1h0m0s ahead"}},
		"the authority alone": {[]reading{{"the certificate authority", "", time.Hour, time.Second}}, []string{"fail the clocks of this node and the certificate authority are 1h0m0s apart | timedatectl"}},
	} {
		expect(t, when, judgeClocks("fra1", tt.others), tt.want...)
	}
}

func TestJudgeGeography(t *testing.T) {
	for when, tt := range map[string]struct {
		g    Geography
		want []string
	}{
		"a city database": {Geography{Type: "GeoLite2-City"}, []string{"ok addresses are placed by a GeoLite2-City"}},
		"a new server":    {Geography{Coarse: true}, []string{`warn addresses are placed on continents only | in /state/node.toml: geo = "/var/lib/GeoIP/GeoLite2-City.mmdb", or [fetch]`}},
		"a slip of the pen": {Geography{Coarse: true, Missing: []string{"/geo.mmdb"}}, []string{
			"warn the database /geo.mmdb is not in use | ls -l /geo.mmdb", "warn addresses are placed on continents only"}},
		"no networks": {Geography{Type: "GeoLite2-City", Missing: []string{"/asn.mmdb"}}, []string{"warn the database /asn.mmdb is not in use"}},
	} {
		expect(t, when, judgeGeography("/state", tt.g), tt.want...)
	}
}

func TestJudgeMesh(t *testing.T) {
	m := testMap()
	path := func(loss float64, alive bool) []admin.Path {
		return []admin.Path{{Peer: "nyc1", Endpoint: "192.0.2.2:51820", RTT: admin.Milliseconds(83 * time.Millisecond), Loss: loss, Alive: alive}}
	}
	for when, tt := range map[string]struct {
		paths []admin.Path
		err   string
		want  string
	}{
		"good":        {path(0, true), "", "ok nyc1 is 83ms away by 192.0.2.2:51820"},
		"lossy":       {path(0.08, true), "", "warn loses 8 % of what is sent | mtr 192.0.2.2"},
		"one lost":    {path(1.0/16, true), "", "ok nyc1 is 83ms away"},
		"dead":        {path(0, false), "timeout", "fail no WireGuard path to nyc1 is alive | on fra1: ufw allow 51820/udp"},
		"never seen":  {nil, "timeout", "fail no WireGuard path to nyc1 is alive | on nyc1: ufw allow 51820/udp"},
		"not talking": {path(0, true), "refused", "fail does not tell its status: \"refused\" | on nyc1: systemctl"},
	} {
		o := admin.Overview{Nodes: []admin.Status{{Node: "fra1", Paths: tt.paths}, {Node: "nyc1", Error: tt.err}}}
		expect(t, when, judgeMesh(m, "fra1", o), tt.want)
	}
}

func TestJudgeWays(t *testing.T) {
	m := testMap()
	relayed := admin.Path{
		Peer: "nyc1", Endpoint: "via lon1", Via: "lon1", Why: "80ms instead of 120ms", RTT: admin.Milliseconds(80 * time.Millisecond), Alive: true,
		Ways: []admin.Way{{Way: "192.0.2.2:51820", State: "alive"}, {Way: "via lon1", State: "alive"}},
	}
	alone, mute, lossy := relayed, relayed, relayed
	alone.Ways = []admin.Way{{Way: "192.0.2.2:51820", State: "dead"}, {Way: "via lon1", State: "alive"}}
	mute.Ways = []admin.Way{{Way: "192.0.2.2:51820", State: "mute"}, {Way: "192.0.2.3:51820", State: "alive"}}
	lossy.Loss = 0.1
	for when, tt := range map[string]struct {
		path admin.Path
		want []string
	}{
		"faster by a relay":   {relayed, []string{"ok nyc1 is 80ms away by way of lon1: 80ms instead of 120ms"}},
		"by a relay alone":    {alone, []string{"ok nyc1 is 80ms away", "warn nyc1 is reached by way of lon1 alone: no direct way is alive | on nyc1: ufw allow 51820/udp"}},
		"mute":                {mute, []string{"ok nyc1 is 80ms away", "warn nyc1 answers probes by 192.0.2.2:51820, but nothing else | mtr --udp 192.0.2.2"}},
		"a relay that is bad": {lossy, []string{"warn the path to nyc1 loses 10 % | mtr 192.0.2.2"}},
	} {
		o := admin.Overview{Nodes: []admin.Status{{Node: "fra1", Paths: []admin.Path{tt.path}}, {Node: "nyc1"}}}
		expect(t, when, judgeMesh(m, "fra1", o), tt.want...)
	}
	o := admin.Overview{Nodes: []admin.Status{{Node: "fra1", Paths: []admin.Path{relayed}, Mesh: &admin.Mesh{Front: "netstack", Why: "no CAP_NET_ADMIN"}}, {Node: "nyc1"}}}
	expect(t, "a front of second choice", judgeMesh(m, "fra1", o), "ok nyc1 is 80ms away", "ok streams of the mesh are made in the program, not by the kernel: no CAP_NET_ADMIN")

	const neighbours = "ok who is on a network of this server's own"
	o = admin.Overview{Nodes: []admin.Status{{Node: "fra1", Paths: []admin.Path{relayed}, Mesh: &admin.Mesh{Front: "tun", Refused: 3, LastRefused: "tcp/22 from nyc1"}}, {Node: "nyc1"}}}
	expect(t, "a front that refused something", judgeMesh(m, "fra1", o), "ok nyc1 is 80ms away", "ok 3 packets of other nodes were for what they may not reach here, the last tcp/22 from nyc1", neighbours)
	o.Nodes[0].Mesh = &admin.Mesh{Front: "tun", Allow: []string{"tcp/22", "all"}}
	expect(t, "a front that lets everything in", judgeMesh(m, "fra1", o), "ok nyc1 is 80ms away", "ok the nodes of the network reach whatever listens", neighbours)
}

func TestJudgeReports(t *testing.T) {
	m := testMap()
	m.Nodes[2].State = landfall.Active
	self, _ := m.Node("nyc1")
	report := func(from landfall.NodeID, faults map[string]Fault) Report {
		r := Report{From: from, To: "nyc1", Tries: tries(m, self)}
		for i, t := range r.Tries {
			if f := faults[t.Network+" "+t.What]; f != "" {
				r.Tries[i].Fault = f
			}
		}
		return r
	}
	const rest = "tcp 80 at 127.0.0.12, tcp 443 at 127.0.0.12, udp 53 at 127.0.0.12, tcp 53 at 127.0.0.12"
	for when, tt := range map[string]struct {
		reports []Report
		want    []string
	}{
		"nobody":      {nil, []string{"warn no other node could try"}},
		"good":        {[]Report{report("fra1", nil), report("sin1", nil)}, []string{"ok fra1, sin1 reach " + rest}},
		"firewall":    {[]Report{report("fra1", map[string]Fault{"tcp https": Silent})}, []string{"fail tcp 443 at 127.0.0.12 (https): nothing comes back: a firewall swallows it; tried by fra1 | ufw allow 443/tcp", "ok fra1 reach tcp 80"}},
		"udp":         {[]Report{report("fra1", map[string]Fault{"udp dns": Silent})}, []string{"fail udp 53 at 127.0.0.12 (dns): nothing comes back | ufw allow 53/udp", "ok"}},
		"nobody in":   {[]Report{report("fra1", map[string]Fault{"tcp dns": Refused})}, []string{"fail nobody listens there | ss -lnp 'sport = :53'", "ok"}},
		"certified":   {[]Report{report("fra1", map[string]Fault{"tcp https": Wrong}), report("sin1", nil)}, []string{"fail no handshake for its host | landfall certs list", "ok"}},
		"stranger":    {[]Report{report("fra1", map[string]Fault{"udp dns": Wrong})}, []string{"fail another name server answers there | ss -lnp", "ok"}},
		"one path":    {[]Report{report("fra1", map[string]Fault{"tcp http": Silent}), report("sin1", nil)}, []string{"warn tcp 80 at 127.0.0.12 (http): nothing comes back: a firewall swallows it; tried by fra1 | ufw", "ok"}},
		"no way":      {[]Report{report("fra1", map[string]Fault{"tcp http": NoRoute})}, []string{"warn nobody could try tcp 80 | curl -v http://127.0.0.12:80/", "ok"}},
		"one cannot":  {[]Report{report("fra1", map[string]Fault{"tcp http": NoRoute}), report("sin1", nil)}, []string{"ok fra1, sin1 reach tcp 80"}},
		"not said":    {[]Report{report("fra1", nil), {From: "sin1", To: "nyc1", Error: "no answer"}}, []string{"warn sin1 cannot say what it reaches of us: \"no answer\" | on sin1:", "ok"}},
		"misdirected": {[]Report{{From: "sin1", To: "fra1"}}, []string{"warn it looked at another node"}},
	} {
		expect(t, when, judgeReports(m, self, tt.reports), tt.want...)
	}
}

// Whoever asks for tries cannot make a node try what is not the map's.
func TestTriesAreTheMaps(t *testing.T) {
	m := testMap()
	m.Ports = landfall.Ports{HTTP: 8080, HTTPS: 8443, DNS: 5353}
	m.Services = append(m.Services,
		landfall.Service{Host: "db.edge.example.com", Kind: landfall.TCP, Port: 5432, Upstream: "tcp://127.0.0.1:5432"},
		landfall.Service{Host: "irc.edge.example.com", Kind: landfall.TCP, Upstream: "tcp://127.0.0.1:6667"}) // shares 8443
	n, _ := m.Node("nyc1")
	var got []string
	for _, r := range tries(m, n) {
		got = append(got, fmt.Sprint(r.Network, " ", r.Addr, " ", r.What))
	}
	want := []string{"tcp 127.0.0.12:8080 http", "tcp 127.0.0.12:8443 https", "tcp 127.0.0.12:5432 db.edge.example.com", "udp 127.0.0.12:5353 dns", "tcp 127.0.0.12:5353 dns"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for range 100 {
		n.Advertised = append(n.Advertised, addr("192.0.2.1"))
	}
	if got := len(tries(m, n)); got != maxTries {
		t.Errorf("%d tries", got)
	}
	for _, id := range []landfall.NodeID{"nobody", "sin1"} { // sin1 is invited
		if r := Reach(t.Context(), ReachConfig{Map: m, From: "fra1", To: id}); r.Error == "" || len(r.Tries) > 0 {
			t.Errorf("%s: %+v", id, r)
		}
	}
}

func TestJudgeMTU(t *testing.T) {
	at := func(s string, mtu int, err error) []measured {
		return []measured{{"nyc1", netip.MustParseAddrPort(s), mtu, err}}
	}
	expect(t, "ethernet", judgeMTU(at("192.0.2.2:1", 1500, nil)), "ok packets to nyc1 by 192.0.2.2:1 may have 1500 bytes")
	expect(t, "least", judgeMTU(at("192.0.2.2:1", 1340, nil)), "ok")
	expect(t, "less", judgeMTU(at("192.0.2.2:1", 1339, nil)), "warn the mesh needs 1340 | ip route get 192.0.2.2;")
	expect(t, "least of IPv6", judgeMTU(at("[2001:db8::2]:1", 1360, nil)), "ok")
	expect(t, "less of IPv6", judgeMTU(at("[2001:db8::2]:1", 1359, nil)), "warn the mesh needs 1360")
	expect(t, "unknown", judgeMTU(at("192.0.2.2:1", 0, errors.New("words"))), "warn cannot be measured: words | ip route get 192.0.2.2")
}

func TestJudgeDisk(t *testing.T) {
	took := func(usual, worst time.Duration) []time.Duration {
		return append(slices.Repeat([]time.Duration{usual}, 97), worst, worst, worst)
	}
	const ms = time.Millisecond
	for when, tt := range map[string]struct {
		origin bool
		took   []time.Duration
		want   string
	}{
		"ssd":            {true, took(ms, 2*ms), "ok 4 KiB are safe on the disk of /state after 1ms (p99 of 100 writes 2ms)"},
		"one in hundred": {true, append(slices.Repeat([]time.Duration{ms}, 99), time.Second), "ok"},
		"slow":           {true, took(5*ms, 10*ms), "warn every message waits for one such write | mount that at /state"},
		"hard disk":      {true, took(30*ms, 50*ms), "fail and so do all behind it | move it to an SSD"},
		"slow edge":      {false, took(5*ms, 40*ms), "ok"},
		"worse edge":     {false, took(30*ms, 80*ms), "warn maps and certificates come late | SSD"},
	} {
		expect(t, when, judgeWrites("/state", tt.origin, tt.took), tt.want)
	}
	expect(t, "room", judgeSpace("/state", 20<<30, 1e6, 9e5), "ok 20 GiB are left")
	expect(t, "btrfs", judgeSpace("/state", 20<<30, 0, 0), "ok 20 GiB are left")
	expect(t, "little", judgeSpace("/state", 1<<29, 1e6, 9e5), "warn 512 MiB are left | du -xh")
	expect(t, "full", judgeSpace("/state", 1<<20, 1e6, 100), "fail 1 MiB are left | journalctl --vacuum", "fail room for 100 more files | --inodes")
	expect(t, "files", judgeSpace("/state", 20<<30, 1e6, 5000), "ok", "warn room for 5000 more files")
	for n, want := range map[int]time.Duration{0: 0, 1: 1, 50: 50, 100: 99, 150: 149, 200: 198} {
		var all []time.Duration
		for i := range n {
			all = append(all, time.Duration(n-i))
		}
		if got := p99(all); got != want {
			t.Errorf("p99 of 1 to %d: %d, want %d", n, got, want)
		}
	}
}

func TestJudgeMachine(t *testing.T) {
	expect(t, "files", judgeFiles(1<<20, 1<<20), "ok 1048576 files")
	expect(t, "few files", judgeFiles(1024, 1<<20), "fail may open 1024 files | LimitNOFILE=65536")
	expect(t, "some files", judgeFiles(8192, 8192), "warn 65536 are wanted | systemctl daemon-reload")
	for when, tt := range map[string]struct {
		proc map[string]string
		want []string
	}{
		"good":     {map[string]string{"net/ipv4/tcp_congestion_control": "bbr\n", "net/core/rmem_max": "7500000\n", "net/core/wmem_max": "8000000"}, []string{"ok Linux 6.1.0 is set"}},
		"bare":     {nil, []string{"ok Linux 6.1.0"}},
		"cubic":    {map[string]string{"net/ipv4/tcp_congestion_control": "cubic", "net/ipv4/tcp_available_congestion_control": "reno cubic bbr"}, []string{`warn TCP to users goes by "cubic" | sysctl -w net.ipv4.tcp_congestion_control=bbr && echo`}},
		"no bbr":   {map[string]string{"net/ipv4/tcp_congestion_control": "cubic", "net/ipv4/tcp_available_congestion_control": "reno cubic"}, []string{"warn by \"cubic\" | modprobe tcp_bbr"}},
		"buffers":  {map[string]string{"net/core/rmem_max": "212992", "net/core/wmem_max": "212992"}, []string{"warn (net.core.rmem_max) | sysctl -w net.core.rmem_max=7500000", "warn (net.core.wmem_max)"}},
		"nonsense": {map[string]string{"net/core/rmem_max": "x", "net/netfilter/nf_conntrack_count": "-1", "net/netfilter/nf_conntrack_max": ""}, []string{"ok"}},
		"room":     {map[string]string{"net/netfilter/nf_conntrack_count": "79999", "net/netfilter/nf_conntrack_max": "100000"}, []string{"ok"}},
		"crowded":  {map[string]string{"net/netfilter/nf_conntrack_count": "80000", "net/netfilter/nf_conntrack_max": "100000"}, []string{"warn holds 80000 of 100000 | nf_conntrack_max=400000"}},
		"full":     {map[string]string{"net/netfilter/nf_conntrack_count": "99000", "net/netfilter/nf_conntrack_max": "100000"}, []string{"fail holds 99000 of 100000"}},
	} {
		proc := fstest.MapFS{"sys/kernel/osrelease": {Data: []byte("6.1.0\n")}}
		for name, value := range tt.proc {
			proc["sys/"+name] = &fstest.MapFile{Data: []byte(value)}
		}
		n := notes{check: "kernel"}
		(&patient{Config: Config{Proc: proc}}).kernel(t.Context(), &n)
		expect(t, when, n.list, tt.want...)
	}
}

func TestJudgeMode(t *testing.T) {
	for mode, want := range map[fs.FileMode][]string{
		0o700: nil, 0o750: {"warn others may look into | chmod 700 /state"}, 0o770: {"fail others may write to | chmod 700 /state"}, 0o702: {"fail"},
	} {
		n := notes{check: "state"}
		judgeMode(&n, "/state", mode|fs.ModeDir)
		expect(t, mode.String(), n.list, want...)
	}
}

func TestJudgeCertificates(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	cert := func(age, left time.Duration, err string) admin.Certificate {
		return admin.Certificate{Hosts: []string{"app.edge.example.com"}, Issuer: "CA", From: now.Add(-age), Until: now.Add(left), Error: err}
	}
	for when, tt := range map[string]struct {
		cert admin.Certificate
		want string
	}{
		"good":       {cert(40*day, 50*day, ""), "ok app.edge.example.com by CA is good for 50 days"},
		"renewing":   {cert(61*day, 29*day, ""), "ok"},
		"failing":    {cert(61*day, 29*day, "dns: no"), "warn has 29 days left, and is not renewed: dns: no | landfall certs renew app.edge.example.com"},
		"late":       {cert(70*day, 20*day, ""), "warn has 20 days left, and is not renewed"},
		"very late":  {cert(85*day, 5*day, "dns: no"), "fail expires in 5 days, and is not renewed: dns: no"},
		"short life": {cert(23*time.Hour, time.Hour, ""), "fail expires in 1h0m0s"},
		"over":       {cert(90*day, 0, ""), "fail expired 0s ago"},
		"long over":  {cert(95*day, -5*day, ""), "fail expired 5 days ago"},
		"to come":    {cert(-time.Hour, 90*day, ""), "fail is not valid before 2026-03-01T01:00:00Z, by this clock | timedatectl"},
		"none":       {admin.Certificate{Hosts: []string{"app.edge.example.com"}, Error: "dns: no"}, "fail there is no certificate of app.edge.example.com yet: dns: no"},
		"nobody's":   {admin.Certificate{Issuer: "CA"}, "warn names no host | landfall certs list"},
	} {
		n := notes{check: "certificates"}
		judgeCertificate(&n, tt.cert, now)
		expect(t, when, n.list, tt.want)
	}
	p := &patient{Config: Config{Map: testMap(), Certificates: []admin.Certificate{cert(day, 80*day, "")}, Complete: true, Now: func() time.Time { return now }}}
	n := notes{check: "certificates"}
	p.certificates(t.Context(), &n)
	expect(t, "one left out", n.list, "ok app.edge", "fail no certificate is for www.shop.example | landfall certs renew www.shop.example")
}

func TestDirectoryOfAnAuthority(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		names  string
		err    string
	}{
		{200, `{"newOrder":"https://ca/o","meta":{"caaIdentities":["a.example","b.example"]}}`, "a.example b.example", ""},
		{200, `{"newOrder":"https://ca/o"}`, "", ""},
		{503, "busy", "", "503 Service Unavailable"},
		{200, "<html>", "", "not answer with a directory"},
		{200, `{}`, "", "newOrder is missing"},
		{200, "", "", "not answer with a directory"},
	} {
		names, err := readDirectory(tt.status, strings.NewReader(tt.body))
		if strings.Join(names, " ") != tt.names || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%d %s: %q, %v", tt.status, tt.body, names, err)
		}
	}
}
