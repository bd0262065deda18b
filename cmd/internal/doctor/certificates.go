package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"landfall/cmd/internal/admin"
)

// certificates judges how long those of the node are good, and whether each
// host has one.
func (p *patient) certificates(_ context.Context, n *notes) {
	listed := map[string]bool{}
	for _, c := range p.Certificates {
		judgeCertificate(n, c, p.Now())
		for _, h := range c.Hosts {
			listed[h] = true
		}
	}
	if !p.Complete {
		return
	}
	for _, s := range p.Map.Services {
		if !listed[s.Host] {
			n.fail("landfall certs renew "+s.Host, "no certificate is for %s", s.Host)
		}
	}
}

// judgeCertificate knows that a third of a certificate's life is left when it
// is renewed.
func judgeCertificate(n *notes, c admin.Certificate, now time.Time) {
	if len(c.Hosts) == 0 {
		n.warn("landfall certs list", "a certificate of %s names no host", c.Issuer)
		return
	}
	life, left := c.Until.Sub(c.From), c.Until.Sub(now)
	names := strings.Join(c.Hosts, ", ")
	why := ""
	if c.Error != "" {
		why = ": " + c.Error
	}
	cure := "landfall certs list"
	if plainName(c.Hosts[0]) {
		cure = "landfall certs renew " + c.Hosts[0]
	}
	switch {
	case c.Until.IsZero():
		n.fail(cure, "there is no certificate of %s yet%s", names, why)
	case now.Before(c.From):
		n.fail("timedatectl set-ntp true", "the certificate of %s is not valid before %s, by this clock", names, c.From.Format(time.RFC3339))
	case left <= 0:
		n.fail(cure, "the certificate of %s expired %s ago%s", names, ago(-left), why)
	case left < life/10:
		n.fail(cure, "the certificate of %s expires in %s, and is not renewed%s", names, ago(left), why)
	case left < life/4 || why != "":
		n.warn(cure, "the certificate of %s has %s left, and is not renewed%s", names, ago(left), why)
	default:
		n.ok("the certificate of %s by %s is good for %s", names, c.Issuer, ago(left))
	}
}

// ago is a time in days where it is long.
func ago(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.Round(time.Minute).String()
}
