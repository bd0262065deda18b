package locate

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"landfall/geodns/prefix"

	"github.com/oschwald/maxminddb-golang/v2"
)

// again is the cure for a damaged file.
const again = "download it again"

// database is a verified file in the MaxMind DB format.
//
//	| search tree | 16 zero bytes | data: the records | marker | metadata |
type database struct {
	*maxminddb.Reader
	data uint // where the records begin, in bytes from the start of the file
}

// openDatabase refuses what is damaged anywhere, and what is of none of some
// kinds. The names of other makers hold the same words: "DBIP-City-Lite",
// "DBIP-ASN-Lite (compat=GeoLite2-ASN)".
func openDatabase(file []byte, tells, cure string, kinds ...string) (*database, error) {
	if len(file) == 0 {
		return nil, fmt.Errorf("the file is empty: %s", again)
	}
	meta := bytes.LastIndex(file, []byte("\xab\xcd\xefMaxMind.com"))
	if meta < 0 {
		return nil, fmt.Errorf("not a whole MaxMind DB file, %s: it ends at byte %d without metadata", again, len(file))
	}
	db, err := maxminddb.OpenBytes(file)
	if err != nil {
		return nil, fmt.Errorf("the file is damaged, %s: its metadata, at byte %d of %d, is not of this file: %w", again, meta, len(file), err)
	}
	d := &database{db, db.Metadata.NodeCount*(db.Metadata.RecordSize/4) + 16}
	kind := db.Metadata.DatabaseType
	if !slices.ContainsFunc(kinds, func(k string) bool { return strings.Contains(kind, k) }) {
		return nil, fmt.Errorf("it is of type %q, which tells no %s: %s", kind, tells, cure)
	}
	if len(db.Metadata.Description) == 0 { // which the format wants, and no lookup needs
		db.Metadata.Description = map[string]string{"en": "none"}
	}
	if err := db.Verify(); err != nil {
		return nil, fmt.Errorf("the file is damaged, %s: its records begin at byte %d: %w", again, d.data, err)
	}
	return d, nil
}

func (d *database) about() Database {
	return Database{Type: d.Metadata.DatabaseType, Built: d.Metadata.BuildTime().UTC()}
}

// maxShared is how many times over a tree may hold its own nodes. The format
// shows the IPv4 part in three more places; a damaged file could show each
// half of each half twice, and be walked through for ever.
const maxShared = 8

// leaves are the networks of the database with what label makes of their
// records, which many share: each is asked for once.
//
// An IPv6 network that holds ::/96 holds all IPv4 addresses: the format keeps
// them there.
func (d *database) leaves(label func(maxminddb.Result) (uint32, error)) ([]prefix.Leaf, error) {
	var out []prefix.Leaf
	seen := map[uintptr]uint32{}
	apart := teredo()
	left := maxShared * (int(d.Metadata.NodeCount) + 1)
	for r := range d.Networks(maxminddb.IncludeAliasedNetworks(), maxminddb.IncludeNetworksWithoutData()) {
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("the file is damaged, %s: %w", again, err)
		}
		if left--; left < 0 {
			return nil, fmt.Errorf("the file is damaged, %s: its tree meets itself", again)
		}
		if !r.Found() || within(r.Prefix(), apart) {
			continue
		}
		l, ok := seen[r.Offset()]
		if !ok {
			var err error
			if l, err = label(r); err != nil {
				return nil, fmt.Errorf("the file is damaged, %s: network %v, record at byte %d: %w", again, r.Prefix(), d.data+uint(r.Offset()), err)
			}
			seen[r.Offset()] = l
		}
		out = append(out, prefix.Leaf{Prefix: r.Prefix(), Label: l})
		if p := r.Prefix(); p.Addr().Is6() && p.Bits() <= 96 && p.Contains(netip.IPv6Unspecified()) {
			out = append(out, prefix.Leaf{Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Label: l})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no network is in it: " + again)
	}
	return out, nil
}

// teredo is where databases show IPv4 once more, in an order that no prefix
// follows (RFC 4380, 4); its servers are gone.
func teredo() netip.Prefix { return netip.MustParsePrefix("2001::/32") }

// within reports whether p is wide or a part of it.
func within(p, wide netip.Prefix) bool {
	return wide.Bits() <= p.Bits() && wide.Contains(p.Addr())
}
