// Package gdnsd reads what gdnsd 3 is configured with: a configuration in its
// vscf syntax, with all that it includes, and a zone go in; a landfall.Map,
// the text of a network.toml and a list of everything that has no counterpart
// come out, each with its place in the files.
//
//	files.go    names -> text, and what is found wrong or missing, by place
//	vscf.go     text -> values that remember where they stand; include.go
//	zone.go     text -> records, in gdnsd's dialect of RFC 1035; words.go, record.go
//	geo.go      geoip's maps and metafo's lists -> whom clients are told
//	pool.go     resources of multifo, simplefo, weighted and static -> addresses
//	target.go   resources of geoip and metafo -> a map and its pools
//	health.go   service types -> how edges are probed
//	network.go  all of them -> a map: geography.go its regions, nodes and
//	            preferences, settle.go what it cannot hold, text.go its file
//
// The package changes no file, asks no network and has nothing of gdnsd's own
// code; what it knows is in gdnsd's manual pages.
package gdnsd
