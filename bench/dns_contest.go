package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"

	"landfall/bench/atlas"
	"landfall/bench/ecs"
	"landfall/bench/load"
	"landfall/bench/peers"
)

// Names of servers in tables.
const (
	ours    = "landfall"
	bare    = "landfall, bare"
	signing = "landfall, signed"
	gdnsd   = "gdnsd"
	knot    = "knot mod-geoip"
	pdns    = "pdns geoip"
	nsd     = "nsd"
)

// subnets is how many client subnets there are, each a /24.
const subnets = 32_768

// contest is a case: what is asked, and of whom.
type contest struct {
	name    string
	servers []string
	cookie  bool // a valid one is shown with every question
	queries []wanted
}

// wanted is a question and what its answer ought to be.
type wanted struct {
	load.Question
	addr    netip.Addr
	missing bool // there is no such name
}

// ask makes the packets for a server.
func (c *contest) ask(server netip.AddrPort) (out []load.Query, err error) {
	var cookie []byte
	if c.cookie {
		if cookie, err = load.Cookie(server, ecs.ParseName(peers.Zone)); err != nil {
			return nil, err
		}
	}
	for _, q := range c.queries {
		q.Cookie = cookie
		out = append(out, load.Query{Packet: q.Append(nil), Addr: q.addr, Codes: q.codes(), Signed: q.DO})
	}
	return out, nil
}

// codes are the RCODEs that will do (RFC 1035, 4.1.1). Signed, a missing name
// may be said to be there and to have nothing (RFC 9824, 3.1).
func (q wanted) codes() uint16 {
	const success, nameError = 1 << 0, 1 << 3
	switch {
	case q.missing && q.DO:
		return success | nameError
	case q.missing:
		return nameError
	}
	return success
}

// byPlace are questions for the edges near to clients, who are drawn by
// address space.
func byPlace(w *atlas.World) (out []wanted) {
	crowd := newCrowd(w, subnets, 0)
	for i, client := range crowd.clients {
		out = append(out, wanted{
			Question: load.Question{Name: ecs.ParseName(peers.Host), Type: load.TypeA, Client: crowd.prefix(i)},
			addr:     w.Edges[crowd.truth[client]].Addr,
		})
	}
	return out
}

// signed are questions of those who want signatures.
func signed(of []wanted) (out []wanted) {
	for _, q := range of {
		q.DO = true
		out = append(out, q)
	}
	return out
}

// contests are all cases.
func contests(w *atlas.World) []*contest {
	all := []string{ours, gdnsd, knot, pdns}
	static := wanted{Question: load.Question{Name: ecs.ParseName(peers.Static), Type: load.TypeA}, addr: netip.MustParseAddr(peers.Fixed)}
	nodata := wanted{Question: load.Question{Name: ecs.ParseName(peers.Static), Type: load.TypeAAAA}}
	geo := byPlace(w)
	var full, missing []wanted
	for i, q := range geo {
		q.NSID = true
		full = append(full, q)
		name := ecs.ParseName(fmt.Sprintf("n%05d.%s", i, peers.Zone))
		missing = append(missing, wanted{Question: load.Question{Name: name, Type: load.TypeA}, missing: true})
	}
	return []*contest{
		{name: "static", servers: append(all, bare, nsd), queries: []wanted{static}},
		{name: "geo", servers: append(all, bare), queries: geo},
		{name: "no data", servers: append(all, nsd), queries: []wanted{nodata}},
		{name: "no such name", servers: append(all, nsd), queries: missing},
		{name: "geo, cookie", servers: []string{ours, gdnsd}, cookie: true, queries: geo},
		{name: "static, signed", servers: []string{signing}, queries: signed([]wanted{static})},
		{name: "geo, signed", servers: []string{signing}, queries: signed(geo)},
		{name: "no data, signed", servers: []string{signing}, queries: signed([]wanted{nodata})},
		{name: "no such name, signed", servers: []string{signing}, queries: signed(missing)},
		{name: "geo, cookie, NSID", servers: []string{ours, gdnsd}, cookie: true, queries: full},
	}
}

// contestants are the servers of all cases. Landfall has everything switched
// on: it has a name (NSID), a limit of answers, a log of some queries, counts
// of clients and of all else; bare, only the last of these. Cookies it has
// always.
func (o options) contestants(ctx context.Context, s *peers.Site, progress io.Writer) ([]peers.Kind, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	tree := func(name string, conf server) peers.Kind {
		return peers.Kind{Name: name, Start: func(ctx context.Context, s peers.Site) (*peers.Server, error) {
			addr, err := peers.Port()
			if err != nil {
				return nil, err
			}
			conf.database, conf.seed, conf.addr = s.Database, s.World.Seed, addr.String()
			return peers.Run(ctx, name, addr, conf.argv(self)...)
		}}
	}
	return []peers.Kind{
		tree(ours, server{whole: true, profile: o.profile}),
		tree(bare, server{}),
		tree(signing, server{whole: true, signed: true}),
		{Name: gdnsd, Start: peers.GDNSD},
		{Name: knot, Start: peers.Knot},
		{Name: pdns, Start: peers.PowerDNS},
		{Name: nsd, Start: peers.NSD},
	}, nil
}
