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

// against is what a server's answers cost beside another's, round by round.
func (s *speeds) against(server, other string) (out sample) {
	for i, t := range s.turns[server] {
		out.add(t.cost / s.turns[other][i].cost)
	}
	return out
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
			s.row(&b, name)
		}
	}
	fmt.Fprint(&b, "\nLoad idle: the share of its time in which it could have asked more. Others: the share of a core that went to neither server nor load.\n\n")
	heading(&b, "aim", "measured", "at most")
	for _, a := range aims() {
		a.write(&b, all)
	}
	_, err = w.Write(b.Bytes())
	return err
}

func (s *speeds) row(b *bytes.Buffer, name string) {
	var lost, wrong, checked uint64
	for _, t := range s.turns[name] {
		lost, wrong, checked = lost+t.saw.Lost, wrong+t.saw.Wrong, checked+t.saw.Checked
	}
	cells(b, s.contest.name, name, spread(s.of(name, cost), 2), fmt.Sprintf("%.2f", s.against(name, gdnsd).median()),
		spread(s.of(name, speed), 0), fmt.Sprint(lost), fmt.Sprint(wrong), fmt.Sprint(checked),
		fmt.Sprintf("%.0f %%", s.of(name, idle).median()), fmt.Sprintf("%.0f %%", s.of(name, others).median()))
}

// heading and cells write rows of a table in Markdown.
func heading(b *bytes.Buffer, of ...string) {
	cells(b, of...)
	fmt.Fprintf(b, "|%s\n", strings.Repeat("---|", len(of)))
}

func cells(b *bytes.Buffer, of ...string) { fmt.Fprintf(b, "| %s |\n", strings.Join(of, " | ")) }

// aim is a ratio of costs.
type aim struct {
	what          string
	contest       string
	server, other string
	most          float64
}

func aims() []aim {
	return []aim{
		{"geo, everything on: landfall of gdnsd", "geo", ours, gdnsd, 1},
		{"geo with a cookie: landfall of gdnsd", "geo, cookie", ours, gdnsd, 1},
		{"geo with a cookie and NSID: landfall of gdnsd", "geo, cookie, NSID", ours, gdnsd, 1},
		{"geo, everything on: landfall of knot mod-geoip", "geo", ours, knot, 0.8},
		{"static: landfall of nsd", "static", ours, nsd, 1},
	}
}

func (a aim) write(b *bytes.Buffer, all []*speeds) {
	for _, s := range all {
		if s.contest.name == a.contest {
			cells(b, a.what, spread(s.against(a.server, a.other), 2), fmt.Sprintf("%.2f", a.most))
		}
	}
}
