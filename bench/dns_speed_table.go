package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"landfall/bench/peers"
)

// of is one figure of all turns of a server.
func (s *speeds) of(server string, figure func(turn) float64) (out sample) {
	for _, t := range s.turns[server] {
		out.add(figure(t))
	}
	return out
}

func cost(t turn) float64   { return t.cost }
func speed(t turn) float64  { return t.speed / 1e3 }
func others(t turn) float64 { return 100 * t.others }
func idle(t turn) float64   { return 100 * t.idle }

// entry is a server in a case.
type entry struct{ contest, server string }

// against is what answers cost in one entry beside another, round by round.
func against(all []*speeds, one, other entry) sample {
	return ratios(costs(all, one), costs(all, other))
}

func costs(all []*speeds, e entry) sample {
	for _, s := range all {
		if s.contest.name == e.contest {
			return s.of(e.server, cost)
		}
	}
	return nil
}

// writeSpeeds prints all cases, and the figures that are aimed at.
func (o options) writeSpeeds(ctx context.Context, w io.Writer, all []*speeds) error {
	versions, err := peers.Versions(ctx, "gdnsd", "knot", "knot-module-geoip", "pdns-server", "pdns-backend-geoip", "nsd")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "What answers cost: medians of %d rounds of %v (smallest – largest), one core for the server and one for the load\n%s\n%s\n\n", o.rounds, o.turn, machine(o.root), versions)
	heading(&b, "case", "server", "CPU-s per million", "of gdnsd's", "answers/s, thousands", "lost", "wrong", "checked", "load idle", "others")
	for _, s := range all {
		for _, name := range s.contest.servers {
			s.row(&b, name, against(all, entry{s.contest.name, name}, entry{s.contest.name, gdnsd}))
		}
	}
	fmt.Fprint(&b, "\nLoad idle: the share of its time in which it could have asked more. Others: the share of a core that went to neither server nor load.\n\n")
	heading(&b, "aim", "measured", "wanted")
	for _, a := range aims() {
		a.write(&b, all)
	}
	_, err = w.Write(b.Bytes())
	return err
}

func (s *speeds) row(b *bytes.Buffer, name string, beside sample) {
	var lost, wrong, checked uint64
	for _, t := range s.turns[name] {
		lost, wrong, checked = lost+t.saw.Lost, wrong+t.saw.Wrong, checked+t.saw.Checked
	}
	share := ""
	if len(beside) > 0 {
		share = fmt.Sprintf("%.2f", beside.median())
	}
	cells(b, s.contest.name, name, spread(s.of(name, cost), 2), share,
		spread(s.of(name, speed), 0), fmt.Sprint(lost), fmt.Sprint(wrong), fmt.Sprint(checked),
		fmt.Sprintf("%.0f %%", s.of(name, idle).median()), fmt.Sprintf("%.0f %%", s.of(name, others).median()))
}

// heading and cells write rows of a table in Markdown.
func heading(b *bytes.Buffer, of ...string) {
	cells(b, of...)
	fmt.Fprintf(b, "|%s\n", strings.Repeat("---|", len(of)))
}

func cells(b *bytes.Buffer, of ...string) { fmt.Fprintf(b, "| %s |\n", strings.Join(of, " | ")) }

// aim is a bound on what answers cost in one entry beside another.
type aim struct {
	what       string
	one, other entry
	most       float64 // of the ratio
	least      float64 // of it, instead; 0: none
}

func aims() []aim {
	out := []aim{
		{what: "geo, everything on: landfall's cost of gdnsd's", one: entry{"geo", ours}, other: entry{"geo", gdnsd}, most: 1},
		{what: "geo with a cookie: landfall's cost of gdnsd's", one: entry{"geo, cookie", ours}, other: entry{"geo, cookie", gdnsd}, most: 1},
		{what: "geo with a cookie and NSID: landfall's cost of gdnsd's", one: entry{"geo, cookie, NSID", ours}, other: entry{"geo, cookie, NSID", gdnsd}, most: 1},
		{what: "geo, everything on: landfall's cost of knot mod-geoip's", one: entry{"geo", ours}, other: entry{"geo", knot}, most: 0.8},
		{what: "static, everything on: landfall's cost of nsd's", one: entry{"static", ours}, other: entry{"static", nsd}, most: 1},
	}
	for _, name := range []string{"static", "geo", "no data", "no such name"} {
		out = append(out, aim{what: name + ": rate of signed answers, of unsigned ones", one: entry{name, ours}, other: entry{name + ", signed", signing}, least: 0.7})
	}
	return out
}

func (a aim) write(b *bytes.Buffer, all []*speeds) {
	measured := against(all, a.one, a.other)
	if len(measured) == 0 {
		return // not among the cases
	}
	wanted := fmt.Sprintf("at most %.2f", a.most)
	if a.least > 0 {
		wanted = fmt.Sprintf("at least %.2f", a.least)
	}
	cells(b, a.what, spread(measured, 2), wanted)
}
