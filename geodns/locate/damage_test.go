package locate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oschwald/maxminddb-golang/v2"
)

// nodes makes the metadata of a file lie about the size of its tree.
func nodes(t *testing.T, whole []byte, n uint32) []byte {
	t.Helper()
	key := []byte("\x4anode_count")
	at := bytes.LastIndex(whole, key) + len(key)
	size := int(whole[at] & 31)
	lie := binary.BigEndian.AppendUint32([]byte{6<<5 | 4}, n)
	return slices.Concat(whole[:at], lie, whole[at+1+size:])
}

func TestFileThatCannotBeUsedIsNamedWithTheCure(t *testing.T) {
	dir := t.TempDir()
	whole := makeDB(t, "GeoLite2-City", 6, testNetworks())
	meta := bytes.LastIndex(whole, []byte("\xab\xcd\xef"))
	damaged := slices.Clone(whole)
	copy(damaged[0:], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	for name, file := range map[string]struct {
		data []byte
		want string
	}{
		"empty.mmdb":   {nil, "the file is empty: download it again"},
		"text.mmdb":    {[]byte("<html>login required</html>"), "download it again: it ends at byte 27 without metadata"},
		"short.mmdb":   {whole[:len(whole)/2], fmt.Sprintf("download it again: it ends at byte %d without metadata", len(whole)/2)},
		"cut.mmdb":     {whole[:len(whole)-20], fmt.Sprintf("download it again: its metadata, at byte %d of %d, ", meta, len(whole)-20)},
		"head.mmdb":    {whole[len(whole)/2:], "download it again: its metadata, at byte"},
		"more.mmdb":    {nodes(t, whole, 1<<20), fmt.Sprintf("download it again: its metadata, at byte %d of ", meta)},
		"fewer.mmdb":   {nodes(t, whole, 100), "download it again: its records begin at byte 716: "},
		"damaged.mmdb": {damaged, "download it again: its records begin at byte"},
		"asn.mmdb":     {makeDB(t, "GeoLite2-ASN", 6, testNetworks()), `of type "GeoLite2-ASN", which tells no places: use a City or Country database`},
		"bare.mmdb":    {makeDB(t, "GeoLite2-City", 6, testNetworks()[8:9]), "use a City or Country database"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, file.data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Sources{Places: path}, nil)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), file.want) {
			t.Errorf("%s: %v, want the path and %q", name, err, file.want)
		}
	}
	if _, err := Open(Sources{Places: filepath.Join(dir, "none.mmdb")}, nil); err == nil || !strings.Contains(err.Error(), "none.mmdb") {
		t.Errorf("no file: %v", err)
	}
	path := filepath.Join(dir, "good.mmdb")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Sources{Places: path}, nil); err != nil {
		t.Errorf("good file: %v", err)
	}
}

// A damaged tree can be small and still have more ways through it than anyone
// can walk.
func TestTreeThatMeetsItselfIsAnError(t *testing.T) {
	db := makeDB(t, "Test-City", 6, testNetworks()[13:])
	whole, err := maxminddb.OpenBytes(db)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Metadata.RecordSize != 28 {
		t.Fatalf("records of %d bits: the test knows less", whole.Metadata.RecordSize)
	}
	node := func(i, both uint) {
		copy(db[7*i:], []byte{0, byte(both >> 8), byte(both), 0, 0, byte(both >> 8), byte(both)})
	}
	for i := range uint(110) { // both halves of each node are the next one
		node(i, i+1)
	}
	node(110, whole.Metadata.NodeCount+16) // the first record
	_, err = Load(Data{Places: db}, nil)
	if err == nil || !strings.Contains(err.Error(), "meets itself") {
		t.Errorf("got %v", err)
	}
}

func TestNetworkDatabaseThatCannotBeUsed(t *testing.T) {
	places := makeDB(t, "Test-City", 6, testNetworks())
	huge := testNumbers()
	huge[0].asn, huge[0].wide = 1, true
	for want, data := range map[string][]byte{
		"the file is empty":                                  {},
		`which tells no networks: use an ASN database`:       places,
		"ends at byte 3 without metadata":                    []byte("abc"),
		"network 1.0.0.0/16, record at byte":                 makeDB(t, "Test-ASN", 6, huge),
		"no network in it has a number: use an ASN database": makeDB(t, "DBIP-Location-ISP (compat=City)", 6, testNetworks()),
		"no network is in it":                                makeDB(t, "Test-ASN", 6, nil),
	} {
		if _, err := Load(Data{Places: places, Networks: data}, nil); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "network database: ") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	good, bad := filepath.Join(t.TempDir(), "good"), filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(good, places, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // not there, then empty
		if _, err := Open(Sources{good, bad}, nil); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("got %v", err)
		}
		if err := os.WriteFile(bad, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Wherever a file is cut and whichever byte is another, it is an error or a
// Table that can be asked; cut, it is an error.
func TestDamageAnywhere(t *testing.T) {
	whole := makeDB(t, "Test-City", 6, testNetworks())
	for n := 0; n < len(whole); n += 7 {
		if _, err := Load(Data{Places: whole[:n]}, nil); err == nil {
			t.Fatalf("cut at byte %d of %d: no error", n, len(whole))
		}
		other := slices.Clone(whole)
		other[n] ^= 0xa5
		table, err := Load(Data{Places: other}, nil)
		if err != nil {
			continue
		}
		addr := netip.MustParseAddr("1.64.0.0")
		if loc, p := table.Locate(addr); !p.Contains(addr) || loc.Known && !loc.Place.Valid() {
			t.Fatalf("byte %d: %v in %v", n, loc, p)
		}
	}
}
