package landfall

import (
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
}

func (c *checker) ports() {
	p := c.m.Ports
	if p.EffectiveHTTP() == p.EffectiveHTTPS() {
		c.fault("ports.http", "give http and https a port each", "port %d is both http and https", p.EffectiveHTTPS())
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
