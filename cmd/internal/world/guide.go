package world

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	"landfall"
)

// Subnets to try: of a network in the United States, and of one in Asia.
const (
	subnetAmerica = "198.32.0.0/24"
	subnetAsia    = "203.116.0.0/24"
)

// WriteGuide tells what there is and what to type next; program is how this
// one is called.
func (w *World) WriteGuide(out io.Writer, program string) error {
	m := w.Map()
	p := printer{w: out}
	for _, n := range m.Nodes {
		r, _ := m.Region(n.Region)
		p.line("  %-5s %-10s %-18s %s", n.ID, r.Title, roleList(n), addressList(n))
	}
	host := w.chatHost()
	dns := fmt.Sprintf("dig @%v -p %d %s", m.Nodes[0].Listens()[0], m.Ports.EffectiveDNS(), host)
	edge := m.Nodes[1].Advertised[0]
	page := w.URL(host) + "/"
	p.line("\nThe page  %s", page)
	p.line("sign in   %s with %s", w.First.Email, w.First.Password)
	p.line("token     %s (for the API; flow %s)", w.First.Token, w.First.Flow)
	p.line("root      %s (trust it for %s and names below, nothing else)", w.Root, m.Domain)
	p.line("state     %s", w.cfg.Dir)
	p.line("\nAsk as a resolver of American users, and of Asian ones:")
	p.line("  %s +subnet=%s", dns, subnetAmerica)
	p.line("  %s +subnet=%s", dns, subnetAsia)
	if w.cfg.Sign {
		p.line("Have an answer validated, by the zone's own key:")
		p.line("  delv -a %s +root=%s @%v -p %d %s", quote(w.keys().Anchor(m.Domain)), m.Domain, m.Nodes[0].Listens()[0], m.Ports.EffectiveDNS(), host)
	}
	p.line("Load the page through New York, and watch the flow as it goes:")
	resolve := resolveFlag(m, host, edge)
	p.line("  curl --cacert %s %s %s", quote(w.Root), resolve, page)
	p.line("  curl -N --cacert %s %s -u %s: '%sstream/flows?filter=%s'", quote(w.Root), resolve, w.First.Token, page, w.First.Flow)
	pin, err := w.pin(edge)
	if err != nil {
		return err
	}
	p.line("In a browser, through New York, trusting that one key:")
	p.line("  chromium --user-data-dir=%s --ignore-certificate-errors-spki-list=%s --host-resolver-rules='MAP *.%s %v' %s",
		quote(filepath.Join(w.cfg.Dir, "browser")), pin, m.Domain, edge, page)
	p.line("In a second terminal:")
	p.line("  %s status --dir %s", program, quote(w.cfg.Dir))
	p.line("  %s drain %s --dir %s", program, m.Nodes[1].ID, quote(w.cfg.Dir))
	p.line("")
	return p.err
}

// pin is the hash of an edge's public key by which browsers can be told to
// trust it (RFC 7469, 2.4).
func (w *World) pin(edge netip.Addr) (string, error) {
	addr := netip.AddrPortFrom(edge, w.Map().Ports.EffectiveHTTPS()).String()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: stepTimeout}, "tcp", addr, &tls.Config{RootCAs: w.roots, ServerName: w.chatHost()})
	if err != nil {
		return "", fmt.Errorf("key of the edge at %s: %w", addr, err)
	}
	defer c.Close()
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// quote writes a file's name as a shell reads it back.
func quote(name string) string {
	odd := func(r rune) bool {
		return !strings.ContainsRune("/.-_+,@%=:", r) && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}
	if !strings.ContainsFunc(name, odd) {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

func resolveFlag(m *landfall.Map, host string, a netip.Addr) string {
	return fmt.Sprintf("--resolve %s:%d:%v", host, m.Ports.EffectiveHTTPS(), a)
}

func roleList(n landfall.Node) string {
	var out []string
	for _, r := range n.Roles {
		out = append(out, string(r))
	}
	return strings.Join(out, ", ")
}

func addressList(n landfall.Node) string {
	var out []string
	for _, a := range n.Advertised {
		out = append(out, a.String())
	}
	return strings.Join(out, " ")
}
