package transfer_test

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/geodns/dnssec"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// follows goes through what a secondary has to take over.
func follows(t *testing.T, p *primary, at netip.AddrPort) {
	t.Helper()
	answer(t, at, "chat", dns.TypeA, holds("192.0.2.1"))
	answer(t, at, "x.wild", dns.TypeTXT, holds(`"any"`))
	answer(t, at, "chat", dns.TypeHTTPS, func(m *dns.Msg) bool { return len(m.Answer) == 1 })
	soa := answer(t, p.addr, "", dns.TypeSOA, func(m *dns.Msg) bool { return len(m.Answer) == 1 }).Answer[0].String()
	answer(t, at, "", dns.TypeSOA, func(m *dns.Msg) bool { return len(m.Answer) == 1 && m.Answer[0].String() == soa })
	before := p.TransferStats()

	p.add("late", "A", "192.0.2.77")
	answer(t, at, "late", dns.TypeA, holds("192.0.2.77"))
	p.SetHealth(map[landfall.NodeID]bool{"fra1": true})
	answer(t, at, "chat", dns.TypeA, holds("192.0.2.2"))

	eventually(t, func() error { // the last message may be on its way
		now := p.TransferStats()
		if now.Sent["differences"] == before.Sent["differences"]+2 && now.Sent["whole"] == before.Sent["whole"] && now.Notified["heard"] >= 2 && now.Unbelieved == 0 {
			return nil
		}
		return fmt.Errorf("figures: %+v, before %+v", now, before)
	})
}

func TestKnotFollows(t *testing.T) {
	at, dir := free(t), t.TempDir()
	p := startPrimary(t, at)
	conf := fmt.Sprintf(`
server:
    rundir: %[1]q
    listen: 127.0.0.1@%[2]d
database:
    storage: %[1]q
log:
  - target: stderr
    any: info
key:
  - id: %[3]s
    algorithm: hmac-sha256
    secret: %[4]s
remote:
  - id: primary
    address: 127.0.0.1@%[5]d
    key: %[3]s
acl:
  - id: told
    address: 127.0.0.1
    key: %[3]s
    action: notify
zone:
  - domain: landfall.test
    storage: %[1]q
    master: primary
    acl: told
`, dir, at.Port(), keyName, encoded(), p.addr.Port())
	start(t, dir, "knotd", "-c", write(t, dir, "knot.conf", conf))
	follows(t, p, at)
}

func TestNSDFollows(t *testing.T) {
	at, dir := free(t), t.TempDir()
	p := startPrimary(t, at)
	conf := fmt.Sprintf(`
server:
    ip-address: 127.0.0.1@%[2]d
    username: ""
    zonesdir: %[1]q
    database: ""
    pidfile: ""
    zonelistfile: "%[1]s/zone.list"
    xfrdfile: "%[1]s/xfrd.state"
    xfrdir: %[1]q
    server-count: 1
    verbosity: 2
remote-control:
    control-enable: no
key:
    name: %[3]q
    algorithm: hmac-sha256
    secret: %[4]q
zone:
    name: landfall.test
    zonefile: landfall.test.zone
    request-xfr: 127.0.0.1@%[5]d %[3]s
    allow-notify: 127.0.0.1 %[3]s
`, dir, at.Port(), keyName, encoded(), p.addr.Port())
	start(t, dir, "nsd", "-d", "-c", write(t, dir, "nsd.conf", conf))
	follows(t, p, at)
}

// TestToolsTransfer has dig and kdig fetch a signed zone, and ldns look whether
// it is whole.
func TestToolsTransfer(t *testing.T) {
	p := startPrimary(t, netip.MustParseAddrPort("127.0.0.1:9"))
	name, err := zone.ParseName("landfall.test")
	if err != nil {
		t.Fatal(err)
	}
	ksk, err := dnssec.Generate(dnssec.KSK)
	if err != nil {
		t.Fatal(err)
	}
	zsk, err := dnssec.Generate(dnssec.ZSK)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := dnssec.Local(name, ksk, zsk, time.Now(), time.Now().Add(30*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	p.SetKeys([]dnssec.Keys{keys})
	port := fmt.Sprint(p.addr.Port())
	key := "hmac-sha256:" + keyName + ":" + encoded()
	var byDig []string
	eventually(t, func() error { // keys are in what is copied a little later
		byDig = lines(t, "dig", "@127.0.0.1", "-p", port, "-y", key, "+onesoa", "landfall.test", "AXFR")
		byDig = slices.DeleteFunc(byDig, func(s string) bool { return strings.Contains(s, " TSIG ") })
		if !slices.ContainsFunc(byDig, func(s string) bool { return strings.Contains(s, " DNSKEY ") }) {
			return fmt.Errorf("no keys in\n%s", strings.Join(byDig, "\n"))
		}
		return nil
	})
	byKdig := lines(t, "kdig", "@127.0.0.1", "-p", port, "-y", key, "landfall.test", "AXFR")
	if len(byDig) < 20 || len(byKdig) < len(byDig) {
		t.Fatalf("%d records by dig, %d by kdig\n%s\n%s", len(byDig), len(byKdig), strings.Join(byDig, "\n"), strings.Join(byKdig, "\n"))
	}
	file := write(t, t.TempDir(), "zone", strings.Join(byDig, "\n")+"\n")
	if out, err := exec.Command("ldns-verify-zone", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestToolsAskEncrypted has kdig ask by TLS and HTTPS, several questions by one
// connection, and fetch a zone by TLS (RFC 9103).
func TestToolsAskEncrypted(t *testing.T) {
	p := startPrimary(t, netip.MustParseAddrPort("127.0.0.1:9"))
	_, byTLS, _ := net.SplitHostPort(p.tls.Addr().String())
	_, byHTTPS, _ := net.SplitHostPort(p.https.Addr().String())
	for how, args := range map[string][]string{
		"tls": {"-p", byTLS, "+tls", "+padding"}, "https": {"-p", byHTTPS, "+https=/dns-query", "+padding"}, "https get": {"-p", byHTTPS, "+https-get=/dns-query"},
	} {
		got := lines(t, "kdig", append(append([]string{"@127.0.0.1"}, args...), "+keepopen", "chat.landfall.test", "A", "chat.landfall.test", "AAAA")...)
		if len(got) != 2 || !strings.HasPrefix(got[0], "chat.landfall.test. 30 IN A 192.0.2.") || !strings.HasPrefix(got[1], "chat.landfall.test. 30 IN AAAA 2001:db8::") {
			t.Errorf("%s: %q", how, got)
		}
	}
	eventually(t, func() error {
		zone := lines(t, "kdig", "@127.0.0.1", "-p", byTLS, "+tls", "-y", "hmac-sha256:"+keyName+":"+encoded(), "landfall.test", "AXFR")
		if len(zone) < 8 {
			return fmt.Errorf("by TLS came %q", zone)
		}
		return nil
	})
	if s := p.Stats(); s.Queries["tls"] < 2 || s.Queries["https"] != 4 {
		t.Errorf("figures: %v", s.Queries)
	}
}
