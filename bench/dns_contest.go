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
	ours  = "landfall"
	bare  = "landfall, bare"
	gdnsd = "gdnsd"
	knot  = "knot mod-geoip"
	pdns  = "pdns geoip"
	nsd   = "nsd"
)

// subnets is how many client subnets there are, each a /24.
const subnets = 32_768

// plenty is a limit of answers that no load of ours reaches: it is counted,
// and nothing is held back.
const plenty = 10_000_000

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
	addr   netip.Addr
	code   uint8
	signed bool
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
		out = append(out, load.Query{Packet: q.Append(nil), Addr: q.addr, Code: q.code, Signed: q.signed})
	}
	return out, nil
}

// nameError is the RCODE of names that are not there (RFC 1035, 4.1.1).
const nameError = 3

// contests are all cases.
func contests(w *atlas.World) []*contest {
	all := []string{ours, gdnsd, knot, pdns}
	static := wanted{Question: load.Question{Name: ecs.ParseName(peers.Static), Type: load.TypeA}, addr: netip.MustParseAddr(peers.Fixed)}
	nodata := wanted{Question: load.Question{Name: ecs.ParseName(peers.Static), Type: load.TypeAAAA}}
	var geo, full, missing []wanted
	crowd := newCrowd(w, subnets, 0)
	for i, client := range crowd.clients {
		q := wanted{
			Question: load.Question{Name: ecs.ParseName(peers.Host), Type: load.TypeA, Client: crowd.prefix(i)},
			addr:     w.Edges[crowd.truth[client]].Addr,
		}
		geo = append(geo, q)
		q.NSID = true
		full = append(full, q)
		name := ecs.ParseName(fmt.Sprintf("n%05d.%s", i, peers.Zone))
		missing = append(missing, wanted{Question: load.Question{Name: name, Type: load.TypeA}, code: nameError})
	}
	return []*contest{
		{name: "static", servers: append(all, bare, nsd), queries: []wanted{static}},
		{name: "geo", servers: append(all, bare), queries: geo},
		{name: "no data", servers: append(all, nsd), queries: []wanted{nodata}},
		{name: "no such name", servers: append(all, nsd), queries: missing},
		{name: "geo, cookie", servers: []string{ours, gdnsd}, cookie: true, queries: geo},
		{name: "geo, cookie, NSID", servers: []string{ours, gdnsd}, cookie: true, queries: full},
	}
}

// contestants are the servers of all cases. Landfall has everything switched
// on; bare, it knows no limit and no name of its own, and counts no clients.
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
		tree(ours, server{rate: plenty, nsid: "fra1", count: true, profile: o.profile}),
		tree(bare, server{rate: -1}),
		{Name: gdnsd, Start: peers.GDNSD},
		{Name: knot, Start: peers.Knot},
		{Name: pdns, Start: peers.PowerDNS},
		{Name: nsd, Start: peers.NSD},
	}, nil
}
