package coarse

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"landfall"
	"landfall/cmd/internal/node"
)

// File is the geographic database in a directory, made if it is not there.
// One that is there is used as it is: an operator may have put it.
func File(dir string) (string, error) {
	name := filepath.Join(dir, "geo.mmdb")
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		return name, err
	}
	b, err := Database()
	if err != nil {
		return "", err
	}
	return name, node.WriteFile(name, b, 0o644)
}

// registry is a regional internet registry and a point in the middle of the
// part of the world that it serves.
type registry struct {
	name      string
	continent string
	place     landfall.Place
	v4        []uint8  // the /8 blocks that IANA lists for it
	v6        []string // the blocks of 2000::/3 that IANA lists for it
}

// registries follow IANA's IPv4 address space registry and its list of IPv6
// global unicast allocations. They place an address on a continent, no finer:
// enough to see geography at work, not to run a service on.
func registries() []registry {
	return []registry{
		{"ARIN", "NA", landfall.Place{Lat: 39.8, Lon: -98.6}, []uint8{
			3, 4, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26, 28, 29, 30, 32, 33, 34, 35, 38, 40, 44, 45,
			47, 48, 50, 52, 54, 55, 56, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 96, 97, 98, 99, 100, 104, 107, 108,
			128, 129, 130, 131, 132, 134, 135, 136, 137, 138, 139, 140, 142, 143, 144, 146, 147, 148, 149, 152, 155, 156, 157, 158,
			159, 160, 161, 162, 164, 165, 166, 167, 168, 169, 170, 172, 173, 174, 184, 192, 198, 199, 204, 205, 206, 207, 208, 209,
			214, 215, 216}, []string{"2001:400::/23", "2001:1800::/23", "2001:4800::/23", "2600::/12", "2610::/23", "2620::/23", "2630::/12"}},
		{"RIPE NCC", "EU", landfall.Place{Lat: 50, Lon: 10}, []uint8{
			2, 5, 25, 31, 37, 46, 51, 53, 57, 62, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 109,
			141, 145, 151, 176, 178, 185, 188, 193, 194, 195, 212, 213, 217}, []string{"2001:600::/23", "2001:800::/22", "2001:1400::/22",
			"2001:1a00::/23", "2001:1c00::/22", "2001:2000::/19", "2001:4000::/23", "2001:4600::/23", "2001:4a00::/23", "2001:4c00::/23", "2001:5000::/20", "2003::/18", "2a00::/12", "2a10::/12"}},
		{"APNIC", "AS", landfall.Place{Lat: 20, Lon: 110}, []uint8{
			1, 14, 27, 36, 39, 42, 43, 49, 58, 59, 60, 61, 101, 103, 106, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120,
			121, 122, 123, 124, 125, 126, 133, 150, 153, 163, 171, 175, 180, 182, 183, 202, 203, 210, 211, 218, 219, 220, 221, 222, 223},
			[]string{"2001:200::/23", "2001:c00::/23", "2001:e00::/23", "2001:4400::/23", "2001:8000::/19", "2001:a000::/20", "2001:b000::/20", "2400::/12", "2410::/12"}},
		{"LACNIC", "SA", landfall.Place{Lat: -15, Lon: -55}, []uint8{177, 179, 181, 186, 187, 189, 190, 191, 200, 201}, []string{"2001:1200::/23", "2800::/12"}},
		{"AFRINIC", "AF", landfall.Place{Lat: 0, Lon: 25}, []uint8{41, 102, 105, 154, 196, 197}, []string{"2001:4200::/23", "2c00::/12"}},
	}
}

// Database is what File writes: the registries, in MaxMind's format.
func Database() ([]byte, error) {
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "Landfall-Coarse-City", // City is the record's layout, which readers go by
		Description:  map[string]string{"en": "Landfall's coarse map: one point for each regional registry. No MaxMind data."},
		Languages:    []string{"en"},
		RecordSize:   24,
	})
	if err != nil {
		return nil, fmt.Errorf("geographic database: %w", err)
	}
	for _, r := range registries() {
		record := mmdbtype.Map{
			"continent": mmdbtype.Map{"code": mmdbtype.String(r.continent), "names": mmdbtype.Map{"en": mmdbtype.String(r.name)}},
			"location":  mmdbtype.Map{"latitude": mmdbtype.Float64(r.place.Lat), "longitude": mmdbtype.Float64(r.place.Lon)},
		}
		for _, p := range r.prefixes() {
			if err := tree.Insert(ipNet(p), record); err != nil {
				return nil, fmt.Errorf("geographic database: %v: %w", p, err)
			}
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("geographic database: %w", err)
	}
	return b.Bytes(), nil
}

func (r registry) prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, b := range r.v4 {
		out = append(out, netip.PrefixFrom(netip.AddrFrom4([4]byte{b}), 8))
	}
	for _, s := range r.v6 {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// ipNet is what mmdbwriter takes for a prefix.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
