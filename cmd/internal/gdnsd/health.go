package gdnsd

import (
	"strconv"
	"time"

	"landfall"
)

// What gdnsd.config(5) says of service types that say nothing.
const (
	usualInterval = 10
	usualUp       = 20
	usualDown     = 10
)

// What a map may say of probes.
const (
	mostProbes  = 100
	mostTimeout = time.Hour
)

// health makes the probes of a map from the first service type that has a
// counterpart among those that watch the addresses; false if none does.
func (c *conf) health(m *landfall.Map, services []*value) bool {
	taken := ""
	told := map[string]bool{}
	for _, s := range services {
		if s.kind != aText || s.text == "up" || told[s.text] {
			continue
		}
		told[s.text] = true
		v := c.top.of("service_types").of(s.text)
		switch {
		case s.text == "down":
			c.note(s.at, "drain the nodes", "service type down: nothing is down for good but a node that is drained")
		case v == nil:
			c.fault(s.at, "define it under service_types", "there is no service type %q", s.text)
		case taken != "":
			c.note(v.at, "", "service type %q: all edges are probed in one way, that of %q", s.text, taken)
		case c.probe(m, s.text, v):
			taken = s.text
		}
	}
	return taken != ""
}

// probe takes a service type over, if it has a counterpart.
func (c *conf) probe(m *landfall.Map, name string, v *value) bool {
	plugin := "nothing"
	if p := v.of("plugin"); p != nil {
		plugin = p.text
	}
	common := []string{"plugin", "up_thresh", "ok_thresh", "down_thresh", "interval", "timeout", "port"}
	switch plugin {
	case "http_status":
		m.Health.Probe, m.Health.Path = landfall.ProbeHTTP, "/"
		if p := v.of("url_path"); p != nil {
			m.Health.Path = p.text
		}
		m.Ports.HTTP = c.port(v, 80)
		c.status(m, name, v)
		c.only(v, "service type "+name, append(common, "url_path", "vhost", "ok_codes")...)
	case "tcp_connect":
		m.Health.Probe = landfall.ProbeTCP
		m.Ports.HTTPS = c.port(v, 443)
		c.only(v, "service type "+name, common...)
	default:
		c.note(v.at, "have the edges answer over HTTP, and probe that", "service type %q: %s has no counterpart", name, plugin)
		return false
	}
	if m.Ports.EffectiveHTTP() == m.Ports.EffectiveHTTPS() {
		m.Ports.HTTP, m.Ports.HTTPS = 443, 80 // nothing goes to the other one
	}
	c.thresholds(m, name, v)
	return true
}

// port is the port of a service type, or 0 if it is the usual one.
func (c *conf) port(v *value, usual int) uint16 {
	n := c.number(v, "port", usual, 1<<16-1)
	if n == usual {
		return 0
	}
	return uint16(n)
}

// number is a number of a service type.
func (c *conf) number(v *value, name string, usual, most int) int {
	given := v.of(name)
	if given == nil {
		return usual
	}
	n, err := strconv.Atoi(given.text)
	if err != nil || n < 1 || n > most {
		c.fault(given.at, "write a number from 1 to "+strconv.Itoa(most), "%s %q is out of range", name, given.text)
		return usual
	}
	return n
}

// status tells what a probe by HTTP asks and heeds otherwise: it asks by the
// name of the first service, and 2xx and 3xx are good.
func (c *conf) status(m *landfall.Map, name string, v *value) {
	if h := v.of("vhost"); h != nil && len(m.Services) > 0 && h.text != m.Services[0].Host {
		c.note(h.at, "put that service first", "service type %q: probes ask for the host %s, not %s", name, m.Services[0].Host, h.text)
	}
	for _, code := range v.of("ok_codes").all() {
		if n, err := strconv.Atoi(code.text); err != nil || n < 200 || n > 399 {
			c.note(code.at, "", "service type %q: %s is not good: 200 to 399 are", name, code.text)
		}
	}
}

// thresholds takes over how long an edge may be silent and how soon it is
// back. A timeout here is how long an edge is silent before it is down: in
// gdnsd, down_thresh intervals.
func (c *conf) thresholds(m *landfall.Map, name string, v *value) {
	h := &m.Health
	h.Interval = time.Duration(c.number(v, "interval", usualInterval, 255)) * time.Second
	h.Rise = c.number(v, "up_thresh", usualUp, 1<<16-1)
	h.Fall = c.number(v, "down_thresh", usualDown, 1<<16-1)
	if most := min(mostProbes, int(mostTimeout/h.Interval)); h.Rise > mostProbes || h.Fall > most {
		c.note(v.at, "", "service type %q: %d probes up and %d down are more than are counted: %d and %d are", name, h.Rise, h.Fall, min(h.Rise, mostProbes), min(h.Fall, most))
		h.Rise, h.Fall = min(h.Rise, mostProbes), min(h.Fall, most)
	}
	h.Timeout = time.Duration(h.Fall) * h.Interval
	if t := v.of("timeout"); t != nil {
		c.note(t.at, "lower interval and fall in [health] to notice it sooner", "service type %q: a timeout of %s s of each probe: here timeout is how long an edge is silent before it is down, %v as with gdnsd", name, t.text, h.Timeout)
	}
	if t := v.of("ok_thresh"); t != nil {
		c.note(t.at, "", "service type %q: ok_thresh: failures count when they come in a row, and one success ends it", name)
	}
}
