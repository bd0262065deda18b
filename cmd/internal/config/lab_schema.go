package config

import (
	"math"
	"time"

	"landfall/mesh/wan"
)

// lab are the keys of a lab.toml, which docs/lab.md explains.
func lab(l *Lab) []field {
	return []field{
		{key: "seed", read: number(&l.Seed, 0, math.MaxInt)},
		{key: "place", read: tables(&l.Places, "place", "name", labPlace)},
		{key: "link", read: tables(&l.Links, "link", "between", labLink)},
		{key: "host", read: tables(&l.Hosts, "host", "name", labHost)},
		{key: "program", read: tables(&l.Programs, "program", "name", labProgram)},
		{key: "phase", read: tables(&l.Phases, "phase", "name", labPhase)},
		{key: "report", read: section([]field{
			{key: "file", read: words(&l.Report.File)},
			{key: "repeats", read: number(&l.Report.Repeats, 0, 100)},
		})},
	}
}

func labPlace(p *LabPlace) []field {
	return []field{
		{key: "name", read: words(&p.Name), need: `give it a short name, such as name = "fra"`},
		{key: "place", read: func(d *decoder, s spot, v *value) { p.known = true; place(&p.Place)(d, s, v) }},
	}
}

func labLink(l *LabLink) []field {
	return append([]field{
		{key: "between", read: several(&l.Between, words[wan.Site]), need: `name two places, such as between = ["fra", "nyc"]`},
		{key: "one_way", read: boolean(&l.OneWay)},
	}, wanLink(&l.Link)...)
}

// wanLink are the keys of a link, and of an event that changes one.
func wanLink(l *wan.Link) []field {
	l.ICMP = true
	return []field{
		{key: "rtt", read: half(&l.Delay)},
		{key: "delay", read: duration(&l.Delay)},
		{key: "jitter", read: duration(&l.Jitter)},
		{key: "reorder", read: boolean(&l.Reorder)},
		{key: "loss", read: ratio(&l.Loss)},
		{key: "burst", read: section([]field{
			{key: "enter", read: ratio(&l.Burst.Enter), need: `say how likely each packet begins a burst, such as enter = "0.5%"`},
			{key: "leave", read: ratio(&l.Burst.Leave), need: `say how likely each packet ends it, such as leave = "20%" for five packets in the mean`},
			{key: "loss", read: ratio(&l.Burst.Loss), need: `say what share of packets is lost in it, such as loss = "100%"`},
		})},
		{key: "duplicate", read: ratio(&l.Duplicate)},
		{key: "rate", read: rate(&l.Rate)},
		{key: "queue", read: size(&l.Queue)},
		{key: "mark", read: size(&l.Mark)},
		{key: "mtu", read: number(&l.MTU, 68, math.MaxUint16)},
		{key: "icmp", read: boolean(&l.ICMP)},
	}
}

func labHost(h *LabHost) []field {
	return []field{
		{key: "name", read: words(&h.Name), need: `give it a short name, such as name = "fra1"`},
		{key: "place", read: words(&h.Place), need: `say where it stands: place = "..." with the name of a [[place]]`},
		{key: "addresses", read: several(&h.Addresses, address), need: `say what others reach it by, such as addresses = ["192.0.2.1", "2001:db8:1::1"]`},
		{key: "nat", read: oneOf(&h.NAT, "nat", LabOneToOne, LabFullCone, LabRestricted, LabPortRestricted, LabSymmetric)},
		{key: "inside", read: address(&h.Inside)},
		{key: "open", read: func(d *decoder, s spot, v *value) { h.Closed = true; several(&h.Open, port)(d, s, v) }},
	}
}

func labProgram(p *LabProgram) []field {
	p.ReadyFor = 10 * time.Second
	return []field{
		{key: "name", read: words(&p.Name), need: `give it a short name, such as name = "web"`},
		{key: "host", read: words(&p.Host), need: `say where it runs: host = "..." with the name of a [[host]]`},
		{key: "command", read: labCommand(&p.Command), need: `give the program and its arguments, such as command = ["python3", "-m", "http.server"]`},
		{key: "env", read: several(&p.Env, words[string])},
		{key: "waits", read: boolean(&p.Waits)},
		{key: "ready_tcp", read: number(&p.TCP, 1, math.MaxUint16)},
		{key: "ready_log", read: words(&p.Log)},
		{key: "ready_within", read: duration(&p.ReadyFor)},
	}
}

func labPhase(p *LabPhase) []field {
	return []field{
		{key: "name", read: words(&p.Name), need: `give it a short name, such as name = "cut"`},
		{key: "lasts", read: duration(&p.Lasts)},
		{key: "host", read: words(&p.Host)},
		{key: "command", read: labCommand(&p.Command)},
		{key: "event", read: tables(&p.Events, "event at", "at", labEvent)},
	}
}

func labEvent(e *LabEvent) []field {
	fields := []field{
		{key: "at", read: duration(&e.At), need: `say when, counted from the beginning of the phase, such as at = "2s"`},
		{key: "cut", read: several(&e.Cut, words[wan.Site])},
		{key: "heal", read: several(&e.Heal, words[wan.Site])},
		{key: "change", read: several(&e.Change, words[wan.Site])},
		{key: "unplug", read: words(&e.Unplug)},
		{key: "plug", read: words(&e.Plug)},
		{key: "crash", read: words(&e.Crash)},
		{key: "start", read: words(&e.Start)},
		{key: "stop", read: words(&e.Stop)},
		{key: "kill", read: words(&e.Kill)},
	}
	for _, f := range wanLink(&e.link) {
		read := f.read
		f.read = func(d *decoder, s spot, v *value) { e.keys = append(e.keys, f.key); read(d, s, v) }
		fields = append(fields, f)
	}
	return fields
}
