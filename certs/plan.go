package certs

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"landfall"
)

// groupSize is how many names a certificate has at most: what the strictest
// public authorities sign.
const groupSize = 100

// domainPrefix begins the names of the groups of hosts inside the domain. No
// host has an underscore, so they are never those of one outside.
const domainPrefix = "_domain-"

func domainGroup(n int) string { return domainPrefix + strconv.Itoa(n) }

// plan says which hosts of a map share a certificate: those inside the domain,
// by the hundred, while each outside has one of its own, since its owner's
// mistakes must not hold up others. A host stays in the group that had it, so
// that a new one changes one group only.
func plan(m *landfall.Map, had map[string][]string) map[string][]string {
	inside := map[string]bool{}
	out := map[string][]string{}
	for _, s := range m.Services {
		if landfall.InZone(s.Host, m.Domain) {
			inside[s.Host] = true
		} else {
			out[s.Host] = []string{s.Host}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(had)) {
		if !strings.HasPrefix(name, domainPrefix) {
			continue
		}
		for _, h := range had[name] {
			if inside[h] && len(out[name]) < groupSize {
				out[name] = append(out[name], h)
				delete(inside, h)
			}
		}
	}
	fill(out, inside)
	for _, hosts := range out {
		slices.Sort(hosts)
	}
	return out
}

// fill puts hosts that no group had into the first that have room.
func fill(groups map[string][]string, hosts map[string]bool) {
	n := 1
	for _, h := range slices.Sorted(maps.Keys(hosts)) {
		for len(groups[domainGroup(n)]) >= groupSize {
			n++
		}
		groups[domainGroup(n)] = append(groups[domainGroup(n)], h)
	}
}
