package landfall

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"time"
)

func (c *checker) policy() {
	s := c.m.Steering
	if s.TTL != 0 && (s.TTL < time.Second || s.TTL > MaxTTL) {
		c.fault("steering.ttl", "want 1s to 24h; 30s is the default", "ttl %v is out of range", s.TTL)
	}
	if s.Answers < 0 || s.Answers > MaxAnswers {
		c.fault("steering.answers", fmt.Sprintf("want 1 to %d; %d is the default", MaxAnswers, DefaultAnswers), "%d addresses an answer are out of range", s.Answers)
	}
	if !(s.Budget >= 0 && s.Budget <= 1) {
		c.fault("steering.budget", `want "0%" to "100%", such as budget = "0.5%"`, "budget %v is out of range", s.Budget)
	}
	if s.WorseBy < 0 || s.WorseBy > MaxWorseBy {
		c.fault("steering.worse_by", fmt.Sprintf("want 0s to %v; %v is the default", MaxWorseBy, DefaultWorseBy), "worse_by %v is out of range", s.WorseBy)
	}
	if s.Ceiling < 0 || s.Ceiling > MaxCeiling {
		c.fault("steering.ceiling", fmt.Sprintf("want 1 to %d requests a second", MaxCeiling), "ceiling %d is out of range", s.Ceiling)
	}
}

func (c *checker) health() {
	h := c.m.Health
	switch h.EffectiveProbe() {
	case ProbeHTTPS, ProbeHTTP, ProbeTCP, ProbeMesh:
	default:
		c.fault("health.probe", `want "https", "http", "tcp" or "mesh"`, "unknown probe %q", h.Probe)
	}
	if h.Path != "" {
		if u, err := url.ParseRequestURI(h.Path); err != nil || !strings.HasPrefix(h.Path, "/") || strings.HasPrefix(h.Path, "//") || u.Host != "" || strings.ContainsAny(h.Path, " #\r\n") {
			c.fault("health.path", `want an absolute path, such as path = "/health"`, "%q is not a path", h.Path)
		} else if h.EffectiveProbe() != ProbeHTTPS && h.EffectiveProbe() != ProbeHTTP {
			c.fault("health.path", "leave it out: only probes by https and http ask for a path", "a probe by %s has no path", h.EffectiveProbe())
		}
	}
	interval, timeout := cmp.Or(h.Interval, DefaultProbeInterval), cmp.Or(h.Timeout, DefaultProbeTimeout)
	if interval < 100*time.Millisecond || interval > time.Hour {
		c.fault("health.interval", fmt.Sprintf("want 100ms to 1h; %v is the default", DefaultProbeInterval), "interval %v is out of range", h.Interval)
	}
	fall := cmp.Or(h.Fall, DefaultFall)
	if timeout > time.Hour || timeout < time.Duration(fall)*interval {
		c.fault("health.timeout", fmt.Sprintf("want %v or more, for %d failed probes %v apart", time.Duration(fall)*interval, fall, interval), "timeout %v says too little or is out of range", timeout)
	}
	for _, n := range []struct {
		key   string
		given int
	}{{"rise", h.Rise}, {"fall", h.Fall}} {
		if n.given < 0 || n.given > 100 {
			c.fault("health."+n.key, "want 1 to 100 probes", "%s %d is out of range", n.key, n.given)
		}
	}
}

func (c *checker) ports() {
	p := c.m.Ports
	if p.EffectiveHTTP() == p.EffectiveHTTPS() {
		c.fault("ports.http", "give http and https a port each", "port %d is both http and https", p.EffectiveHTTPS())
	}
	taken := map[uint16]string{p.EffectiveHTTP(): "http", p.EffectiveHTTPS(): "https", p.EffectiveDNS(): "dns"}
	for _, n := range []struct {
		key  string
		port uint16
	}{{"dns_tls", p.DNSTLS}, {"dns_https", p.DNSHTTPS}} {
		if other := taken[n.port]; n.port != 0 && other != "" {
			c.fault("ports."+n.key, "give it a port of its own; 853 is usual for TLS, 8443 can be had for HTTPS", "port %d is both %s and %s", n.port, other, n.key)
		}
		taken[n.port] = n.key
	}
}

func (c *checker) acme() {
	a := c.m.ACME
	if !a.Agreed && a != (ACME{}) {
		c.fault("acme.agreed", "read the authority's terms of service and write agreed = true", "the terms of %s are not agreed to", a.EffectiveDirectory())
	}
	if u, err := url.Parse(a.EffectiveDirectory()); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		c.fault("acme.directory", "want the https:// URL of an ACME directory; leave it out for Let's Encrypt", "directory %q is not one", a.Directory)
	}
	if a.Email != "" && (strings.Count(a.Email, "@") != 1 || strings.ContainsAny(a.Email, " \t\r\n,:?")) {
		c.fault("acme.email", `such as email = "ops@example.com"`, "%q is not an address for mail", a.Email)
	}
	if why := badCertificates(a.Roots); why != "" {
		c.fault("acme.roots", "paste the certificates in PEM between \"\"\" and \"\"\"", "roots %s", why)
	}
	if why := badCertificates(c.m.Authority); why != "" {
		c.fault("authority", "leave it to the control: it is not written by hand", "the network's authority %s", why)
	}
}

// badCertificates says what keeps text from being certificates in PEM; no
// text at all is none, and good.
func badCertificates(text string) string {
	rest := []byte(text)
	for n := 1; len(strings.TrimSpace(string(rest))) > 0; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return "are not in PEM"
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil || block.Type != "CERTIFICATE" {
			return fmt.Sprintf("hold, as number %d, what is not a certificate", n)
		}
	}
	return ""
}
