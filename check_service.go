package landfall

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

func (c *checker) services() {
	seen := map[string]int{}
	for i, s := range c.m.Services {
		path := fmt.Sprintf("service[%d]", i)
		if why := badDomain(s.Host); why != "" {
			c.fault(path+".host", `want a full host name, such as host = "chat.`+c.m.Domain+`"`, "host %q %s", s.Host, why)
		} else if first, twice := seen[s.Host]; twice {
			c.fault(path+".host", "one host has one service", "host %q is already service[%d]", s.Host, first)
		} else if c.domain {
			c.serviceZone(path, s)
		}
		seen[s.Host] = i
		if s.Kind != "" && s.Kind != HTTP && s.Kind != TCP {
			c.fault(path+".kind", `want "http" or "tcp"`, "host %q: unknown kind %q", s.Host, s.Kind)
		}
		c.serviceTCP(path, s)
		if why := badUpstream(s); why != "" {
			c.fault(path+".upstream", upstreamCure(s), "host %q %s", s.Host, why)
		}
	}
}

// serviceZone judges whether the host lies where the map says it does, and
// whether there is an authority that signs for it: where none has been made,
// edges have their certificates from elsewhere.
func (c *checker) serviceZone(path string, s Service) {
	zone := c.m.Zone(s.Host)
	switch inside := zone != ""; {
	case inside && s.External && zone == c.m.Domain:
		c.fault(path+".external", "leave external out", "host %q is inside the domain", s.Host)
	case inside && s.External:
		c.fault(path+".external", "leave external out", "host %q is inside the zone %q", s.Host, zone)
	case inside && !InZone(s.Host, c.m.Domain) && !c.m.ACME.Agreed && c.m.Authority != "":
		c.fault(path+".host", "agree to an authority's terms in [acme]", "host %q is outside the domain, and the network's own authority signs for the domain alone", s.Host)
	case inside:
	case !s.External:
		c.fault(path+".host", fmt.Sprintf("name it under the domain %q; or, if you keep its zone elsewhere, write external = true and make it a CNAME of %q there", c.m.Domain, c.m.SteeredName(s.Host)), "host %q is outside the domain", s.Host)
	case !c.m.ACME.Agreed:
		c.fault(path+".external", "agree to an authority's terms in [acme]", "host %q is outside the domain, and the network's own authority signs for the domain alone", s.Host)
	case badDomain(c.m.SteeredName(s.Host)) != "":
		c.fault(path+".host", "choose a shorter name or domain", "host %q: its name in the zone, %q, %s", s.Host, c.m.SteeredName(s.Host), badDomain(c.m.SteeredName(s.Host)))
	}
}

// serviceTCP judges what only services of kind tcp have. Two of them share a
// port as they share 443: by the server name.
func (c *checker) serviceTCP(path string, s Service) {
	switch {
	case s.Kind == TCP && s.Port != 0 && slices.Contains([]uint16{c.m.Ports.EffectiveHTTP(), c.m.Ports.EffectiveDNS(), c.m.Ports.DNSTLS, c.m.Ports.DNSHTTPS}, s.Port):
		c.fault(path+".port", "choose another, or leave port out to share that of HTTPS", "host %q: port %d is taken by the edges and name servers themselves", s.Host, s.Port)
	case s.Kind != TCP && s.Port != 0:
		c.fault(path+".port", `write kind = "tcp", or leave port out`, "host %q: a port of its own is for kind tcp", s.Host)
	}
	switch {
	case s.Kind != TCP && s.Proxy != "":
		c.fault(path+".proxy", `leave proxy out: web applications read X-Forwarded-For`, "host %q: a PROXY header is for kind tcp", s.Host)
	case s.Proxy != "" && s.Proxy != ProxyV2 && s.Proxy != ProxyOff:
		c.fault(path+".proxy", `want "v2" or "off"`, "host %q: unknown proxy %q", s.Host, s.Proxy)
	}
}

// upstreamCure is what could stand there.
func upstreamCure(s Service) string {
	switch {
	case s.Kind == TCP:
		return `want upstream = "tcp://HOST:PORT", such as "tcp://127.0.0.1:5432"`
	case strings.HasPrefix(s.Upstream, "tcp://"):
		return `write kind = "tcp" too; or want upstream = "http://127.0.0.1:3000"`
	}
	return `want upstream = "chat", or a URL that the home region reaches, such as "http://127.0.0.1:3000"`
}

func badUpstream(s Service) string {
	if s.Upstream == "" {
		return "has no service behind it"
	}
	if s.Upstream == UpstreamChat {
		return ""
	}
	u, err := url.Parse(s.Upstream)
	switch {
	case err != nil, u.Host == "", u.Hostname() == "":
		return fmt.Sprintf("has the upstream %q, which is not a URL", s.Upstream)
	case s.Kind == TCP && (u.Scheme != "tcp" || u.Port() == ""):
		return fmt.Sprintf("is of kind tcp and has the upstream %q, not tcp://HOST:PORT", s.Upstream)
	case s.Kind != TCP && u.Scheme != "http" && u.Scheme != "https":
		return fmt.Sprintf("has the upstream %q, neither http:// nor https://", s.Upstream)
	case u.User != nil, u.RawQuery != "", u.Fragment != "", s.Kind != TCP && u.Path != "" && u.Path != "/":
		return fmt.Sprintf("has the upstream %q with more than a host and a port", s.Upstream)
	}
	return ""
}
