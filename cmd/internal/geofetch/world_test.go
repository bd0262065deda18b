package geofetch_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"landfall/cmd/internal/geofetch"
)

// database is one in which 16 blocks lie at a longitude each: the first ones
// at moved, the others where they always were.
func database(t testing.TB, kind string, moved int) []byte {
	t.Helper()
	return databaseOfBoth(t, kind, moved, 0, 0)
}

// databaseOfBoth has blocks of IPv6 as well, the first of them moved.
func databaseOfBoth(t testing.TB, kind string, moved, ipv6, moved6 int) []byte {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, RecordSize: 24, Description: map[string]string{"en": "a test"}, BuildEpoch: int64(1_700_000_000 + moved)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 16 {
		_, block, _ := net.ParseCIDR(fmt.Sprintf("%d.0.0.0/8", 20+i))
		lon := float64(10 * i)
		if i < moved {
			lon -= 170
		}
		var v mmdbtype.DataType = mmdbtype.Map{"location": mmdbtype.Map{"latitude": mmdbtype.Float64(10), "longitude": mmdbtype.Float64(lon)}}
		if strings.Contains(kind, "ASN") {
			v = mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(64500 + i + moved)}
		}
		if err := w.Insert(block, v); err != nil {
			t.Fatal(err)
		}
	}
	for i := range ipv6 {
		_, block, _ := net.ParseCIDR(fmt.Sprintf("2a0%x::/16", i))
		lon := float64(10 * i)
		if i < moved6 {
			lon -= 170
		}
		if err := w.Insert(block, mmdbtype.Map{"location": mmdbtype.Map{"latitude": mmdbtype.Float64(20), "longitude": mmdbtype.Float64(lon)}}); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// smallASN is a database of networks with a single one.
func smallASN(t testing.TB) []byte {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-ASN", RecordSize: 24, Description: map[string]string{"en": "a test"}})
	if err != nil {
		t.Fatal(err)
	}
	_, one, _ := net.ParseCIDR("20.0.0.0/8")
	if err := w.Insert(one, mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(64500)}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// entry is a file of an archive.
type entry struct {
	name string
	data []byte
}

func archive(entries ...entry) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		w.WriteHeader(&tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.data)), Typeflag: tar.TypeReg})
		w.Write(e.data)
	}
	w.Close()
	return gzipped(out.Bytes())
}

// provider is a server that has files by path, and remembers requests.
type provider struct {
	*httptest.Server

	mu     sync.Mutex
	files  map[string][]byte
	answer http.HandlerFunc // instead of the files, if set
	asked  []string         // path, status
}

// newProvider starts one over TLS, as MaxMind demands.
func newProvider(t testing.TB) *provider {
	p := &provider{files: map[string][]byte{}}
	p.Server = httptest.NewTLSServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path := r.URL.Path
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	if p.answer != nil {
		p.answer(w, r)
		return
	}
	b, ok := p.files[path]
	tag := fmt.Sprintf("%q", sumOf(b))
	w.Header().Set("ETag", tag)
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		p.asked = append(p.asked, path+" 404")
	case r.Header.Get("If-None-Match") == tag:
		w.WriteHeader(http.StatusNotModified)
		p.asked = append(p.asked, path+" 304")
	default:
		w.Write(b)
		p.asked = append(p.asked, path+" 200")
	}
}

func (p *provider) set(path string, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files[path] = b
}

func (p *provider) answers(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = h
}

// requests are what was asked since they were last.
func (p *provider) requests() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.asked = nil }()
	return strings.Join(p.asked, "\n")
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

const (
	cityPath = "/geoip/databases/GeoLite2-City/download?suffix=tar.gz"
	asnPath  = "/geoip/databases/GeoLite2-ASN/download?suffix=tar.gz"
)

// publish puts a MaxMind archive and its sum up.
func (p *provider) publish(path string, b []byte) {
	p.set(path, b)
	p.set(path+".sha256", []byte(sumOf(b)+"  some.tar.gz\n"))
}

// city publishes a city database, so far moved.
func (p *provider) city(t testing.TB, moved int) {
	p.publish(cityPath, archive(entry{"GeoLite2-City_20261103/COPYRIGHT.txt", []byte("(c)")}, entry{"GeoLite2-City_20261103/GeoLite2-City.mmdb", database(t, "GeoLite2-City", moved)}))
}

// fetcher asks p for one edition of MaxMind.
func (p *provider) fetcher(t testing.TB, dir string, change func(*geofetch.Config)) *geofetch.Fetcher {
	t.Helper()
	c := geofetch.Config{Provider: geofetch.MaxMind, Editions: []string{"city"}, Dir: dir, Account: "7", Key: "secret", Base: p.URL, HTTP: p.Client()}
	if change != nil {
		change(&c)
	}
	f, err := geofetch.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// files are the sums of what a directory holds, by name.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = sumOf(b)
	}
	return out
}
