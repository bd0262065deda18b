package geofetch_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"landfall/cmd/internal/geofetch"
	"landfall/geodns/locate"
)

func TestOnceBringsWhatIsNewAndThenNothing(t *testing.T) {
	p, dir := newProvider(t), t.TempDir()
	p.city(t, 0)
	p.publish(asnPath, archive(entry{"GeoLite2-ASN.mmdb", database(t, "GeoLite2-ASN", 0)}))
	f := p.fetcher(t, dir, func(c *geofetch.Config) { c.Editions = nil })
	r, err := f.Once(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Files) != 2 || !r.Files[0].New || !r.Files[1].New || r.Compared || r.Files[0].Type != "GeoLite2-City" || r.Files[1].Type != "GeoLite2-ASN" {
		t.Errorf("first: %+v", r)
	}
	if _, err := locate.Open(f.Sources(), nil); err != nil {
		t.Error(err)
	}
	p.requests()
	if r, err = f.Once(t.Context()); err != nil || r.Files[0].New || r.Files[1].New || r.Files[0].Built.IsZero() {
		t.Errorf("second: %+v, %v", r, err)
	}
	if got, want := p.requests(), cityPath+" 304\n"+asnPath+" 304"; got != want {
		t.Errorf("asked\n%s\nwant\n%s", got, want)
	}
	p.city(t, 1)
	if r, err = f.Once(t.Context()); err != nil || !r.Files[0].New || r.Files[1].New || !r.Compared || r.Difference.V4.Share() != 1.0/16 {
		t.Errorf("third: %+v, %v", r, err)
	}
	for name := range files(t, dir) {
		if strings.HasSuffix(name, ".new") {
			t.Errorf("%s is left", name)
		}
	}
	if s := f.Stats(); s.Fetches != 3 || s.Updates != 3 || s.Failed != 0 || s.Bytes == 0 || s.Confirmed == 0 {
		t.Errorf("%+v", s)
	}
}

func TestDBIPIsThisMonthsOrLastMonths(t *testing.T) {
	p, dir := newProvider(t), t.TempDir()
	now := time.Now().UTC()
	month := func(back int) string {
		first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, -back, 0)
		return "/free/dbip-city-lite-" + first.Format("2006-01") + ".mmdb.gz"
	}
	p.set(month(1), gzipped(database(t, "DBIP-City-Lite", 0)))
	f, err := geofetch.New(geofetch.Config{Provider: geofetch.DBIP, Editions: []string{"city"}, Dir: dir, Base: p.URL + "/", HTTP: p.Client()})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		month(0) + " 404\n" + month(1) + " 200",
		month(0) + " 404\n" + month(1) + " 304",
		month(0) + " 200",
		month(0) + " 304",
	} {
		if i == 2 {
			p.set(month(0), gzipped(database(t, "DBIP-City-Lite", 1)))
		}
		if _, err := f.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := p.requests(); got != want {
			t.Fatalf("fetch %d asked\n%s\nwant\n%s", i, got, want)
		}
	}
}

// TestDBIPSaysWhoseLayoutADatabaseHas: its types are as DB-IP writes them.
func TestDBIPSaysWhoseLayoutADatabaseHas(t *testing.T) {
	p := newProvider(t)
	month := time.Now().UTC().Format("-2006-01") + ".mmdb.gz"
	kinds := map[string]string{"city": "DBIP-City-Lite", "country": "DBIP-Country-Lite (compat=GeoLite2-Country)", "asn": "DBIP-ASN-Lite (compat=GeoLite2-ASN)"}
	for name, kind := range kinds {
		p.set("/free/dbip-"+name+"-lite"+month, gzipped(database(t, kind, 0)))
	}
	fetch := func(editions ...string) (geofetch.Result, error) {
		f, err := geofetch.New(geofetch.Config{Provider: geofetch.DBIP, Editions: editions, Dir: t.TempDir(), Base: p.URL, HTTP: p.Client()})
		if err != nil {
			t.Fatal(err)
		}
		return f.Once(t.Context())
	}
	for _, editions := range [][]string{nil, {"city", "asn"}, {"country", "asn"}, {"asn", "city"}} {
		r, err := fetch(editions...)
		if err != nil || len(r.Files) != 2 {
			t.Errorf("%q: %+v, %v", editions, r, err)
		}
		for _, file := range r.Files {
			if file.Type != kinds[file.Edition] {
				t.Errorf("%s is a %q", file.Edition, file.Type)
			}
		}
	}
	for _, other := range []string{"DBIP-City-Lite-More", "DBIP-City (compat=DBIP-City-Lite)", "DBIP-City-Lite (beta)"} {
		p.set("/free/dbip-city-lite"+month, gzipped(database(t, other, 0)))
		if _, err := fetch("city"); err == nil || !strings.Contains(err.Error(), "was asked for") {
			t.Errorf("%s: %v", other, err)
		}
	}
}

// TestIPv6MovesToo: a database is held against its MaxMove in each family.
func TestIPv6MovesToo(t *testing.T) {
	p, dir := newProvider(t), t.TempDir()
	publish := func(moved6 int) {
		p.publish(cityPath, archive(entry{"GeoLite2-City.mmdb", databaseOfBoth(t, "GeoLite2-City", moved6, 8, moved6)}))
	}
	f := p.fetcher(t, dir, nil)
	for _, step := range []struct {
		moved6 int
		want   string
	}{{0, ""}, {1, ""}, {3, "25.0% of the known IPv6 prefixes would move, and 20% may"}} {
		publish(step.moved6)
		_, err := f.Once(t.Context())
		if (err == nil) != (step.want == "") || err != nil && !strings.Contains(err.Error(), step.want) {
			t.Errorf("%d blocks elsewhere: %v", step.moved6, err)
		}
		if refused, ok := errors.AsType[*geofetch.RefusedError](err); err != nil && (!ok || refused.Reason != "moved") {
			t.Errorf("refused as %v", err)
		}
	}
}

// TestSameDatabaseAgainIsKnown: without anything to ask by, and without a
// record of it.
func TestSameDatabaseAgainIsKnown(t *testing.T) {
	p, dir := newProvider(t), t.TempDir()
	packed := archive(entry{"GeoLite2-City.mmdb", database(t, "GeoLite2-City", 0)})
	p.answers(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.RawQuery, ".sha256") {
			io.WriteString(w, sumOf(packed))
			return
		}
		w.Write(packed)
	})
	for i := range 4 {
		if i == 2 {
			if err := os.Remove(filepath.Join(dir, "fetched.json")); err != nil {
				t.Fatal(err)
			}
		}
		r, err := p.fetcher(t, dir, nil).Once(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if file := r.Files[0]; file.Type != "GeoLite2-City" || file.Built.Unix() != 1_700_000_000 || file.Bytes == 0 || file.New != (i == 0) {
			t.Errorf("fetch %d: %+v", i, file)
		}
	}
}

// TestWhatIsNotFitStaysOut: in each case the error says what to do, and the
// directory holds what it held.
func TestWhatIsNotFitStaysOut(t *testing.T) {
	good := func(kind string) []byte { return archive(entry{"GeoLite2-City.mmdb", database(t, kind, 1)}) }
	text := func(code int, head http.Header, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			maps.Copy(w.Header(), head)
			w.WriteHeader(code)
			io.WriteString(w, body)
		}
	}
	wide := database(t, "GeoLite2-City", 0)
	for name, c := range map[string]struct {
		publish []byte
		answer  http.HandlerFunc
		reason  string // of a refusal
		want    string
	}{
		"another edition":      {publish: good("GeoLite2-Country"), reason: "edition", want: `is a "GeoLite2-Country"`},
		"no such database":     {publish: good("Some-Other"), reason: "form", want: "Some-Other"},
		"half a database":      {publish: archive(entry{"GeoLite2-City.mmdb", wide[:len(wide)/2]}), reason: "form", want: "geo database"},
		"nothing in it":        {publish: archive(entry{"GeoLite2-City.mmdb", nil}), reason: "form", want: "geo database"},
		"not in the archive":   {publish: archive(entry{"README", nil}), reason: "damaged", want: "holds no GeoLite2-City.mmdb"},
		"twice in the archive": {publish: archive(entry{"a/GeoLite2-City.mmdb", nil}, entry{"b/GeoLite2-City.mmdb", nil}), reason: "damaged", want: "twice"},
		"a way out":            {publish: archive(entry{"../../GeoLite2-City.mmdb", wide}), reason: "damaged", want: "outside"},
		"an absolute name":     {publish: archive(entry{"/GeoLite2-City.mmdb", wide}), reason: "damaged", want: "outside"},
		"a bomb":               {publish: archive(entry{"GeoLite2-City.mmdb", make([]byte, 3<<20)}), reason: "damaged", want: "more than 2097152 octets"},
		"a bomb beside it":     {publish: archive(entry{"GeoLite2-City.mmdb", wide}, entry{"x", make([]byte, 3<<20)}), reason: "damaged", want: "more than 2097152 octets"},
		"a thousand files":     {publish: archive(make([]entry, 1000)...), reason: "damaged", want: "outside"},
		"too much moves":       {publish: archive(entry{"GeoLite2-City.mmdb", database(t, "GeoLite2-City", 8)}), reason: "moved", want: "50.0% of the known IPv4 addresses would move, and 20% may"},
		"too much IPv6 moves":  {publish: archive(entry{"GeoLite2-City.mmdb", databaseOfBoth(t, "GeoLite2-City", 0, 8, 0)}), reason: "moved", want: "100.0% of the known IPv6 prefixes would move, and 20% may"},
		"a page":               {answer: text(200, nil, "<!DOCTYPE html><title>Oops</title>"), reason: "damaged", want: `begins with "<!DOCTYPE html>`},
		"401":                  {answer: text(401, nil, "Invalid license key"), want: "check the account's id and the licence key"},
		"403":                  {answer: text(403, nil, ""), want: "may not have this edition"},
		"404":                  {answer: text(404, nil, ""), want: "has no edition city"},
		"429":                  {answer: text(429, http.Header{"Retry-After": {"90"}}, ""), want: "again in 1m30s"},
		"500":                  {answer: text(500, nil, ""), want: "500 Internal Server Error"},
		"304 unasked":          {answer: text(304, nil, ""), want: "304 Not Modified"},
		"cut off": {answer: func(w http.ResponseWriter, r *http.Request) {
			b := good("GeoLite2-City")
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
			w.Write(b[:len(b)/2])
		}, reason: "damaged", want: "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			p, dir := newProvider(t), t.TempDir()
			small := func(c *geofetch.Config) { c.MaxBytes = 2 << 20 }
			p.city(t, 0)
			if _, err := p.fetcher(t, dir, small).Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := files(t, dir)
			if c.publish != nil {
				p.publish(cityPath, c.publish)
			}
			if name == "304 unasked" {
				if err := os.Remove(filepath.Join(dir, "fetched.json")); err != nil {
					t.Fatal(err)
				}
				before = files(t, dir)
			}
			p.answers(c.answer)
			f := p.fetcher(t, dir, small)
			_, err := f.Once(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			reason := ""
			if refused, ok := errors.AsType[*geofetch.RefusedError](err); ok {
				reason = refused.Reason
			}
			if s := f.Stats(); reason != c.reason || s.Refused[c.reason] != map[bool]uint64{true: 1}[c.reason != ""] || s.Confirmed != 0 {
				t.Errorf("refused for %q, want %q: %+v", reason, c.reason, s)
			}
			if got := files(t, dir); !equal(got, before) {
				t.Errorf("the directory was %v and is %v", before, got)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the licence key: %v", err)
			}
		})
	}
}

func equal(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func TestASumThatDiffersIsRefused(t *testing.T) {
	p, dir := newProvider(t), t.TempDir()
	p.city(t, 0)
	f := p.fetcher(t, dir, nil)
	for sum, want := range map[string]string{sumOf(nil): "is published", "<html>": "no SHA-256 sum"} {
		p.set(cityPath+".sha256", []byte(sum+"  x.tar.gz\n"))
		if _, err := f.Once(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if s := f.Stats(); s.Refused["sum"] != 2 {
		t.Errorf("%+v", s)
	}
}

func TestForceTakesWhatMoves(t *testing.T) {
	p, dir := newProvider(t), t.TempDir()
	p.city(t, 0)
	if _, err := p.fetcher(t, dir, nil).Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.city(t, 16)
	if _, err := p.fetcher(t, dir, nil).Once(t.Context()); err == nil {
		t.Fatal("all moved, and nobody minded")
	}
	r, err := p.fetcher(t, dir, func(c *geofetch.Config) { c.Force = true }).Once(t.Context())
	if err != nil || r.Difference.V4.Share() != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestATableThatShrinksByHalfIsRefused(t *testing.T) {
	p, dir := newProvider(t), t.TempDir()
	asn := func(c *geofetch.Config) { c.Editions = nil }
	p.city(t, 0)
	p.publish(asnPath, archive(entry{"GeoLite2-ASN.mmdb", database(t, "GeoLite2-ASN", 0)}))
	if _, err := p.fetcher(t, dir, asn).Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.publish(asnPath, archive(entry{"GeoLite2-ASN.mmdb", smallASN(t)}))
	_, err := p.fetcher(t, dir, asn).Once(t.Context())
	if refused, ok := errors.AsType[*geofetch.RefusedError](err); !ok || refused.Reason != "shrank" {
		t.Errorf("got %v", err)
	}
}

func TestARedirectToAnotherHostDoesNotGetTheKey(t *testing.T) {
	p, store, dir := newProvider(t), newProvider(t), t.TempDir()
	p.city(t, 0)
	body := p.files[cityPath]
	var seen []string
	store.answers(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		w.Write(body)
	})
	p.answers(func(w http.ResponseWriter, r *http.Request) {
		if user, key, _ := r.BasicAuth(); user != "7" || key != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if strings.HasSuffix(r.URL.RawQuery, ".sha256") {
			io.WriteString(w, sumOf(body))
			return
		}
		http.Redirect(w, r, store.URL+"/signed?signature=open-sesame", http.StatusFound)
	})
	var log bytes.Buffer
	f := p.fetcher(t, dir, func(c *geofetch.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	if _, err := f.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0] != "" {
		t.Errorf("the other host got %q", seen)
	}
	store.Close()
	os.Remove(filepath.Join(dir, "fetched.json"))
	_, err := f.Once(t.Context())
	if err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("the error tells where the redirect led: %v", err)
	}
	if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "sesame") {
		t.Errorf("the log tells too much: %s", log.String())
	}
}

func TestARedirectToClearTextIsRefused(t *testing.T) {
	p := newProvider(t)
	p.answers(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
	})
	if _, err := p.fetcher(t, t.TempDir(), nil).Once(t.Context()); err == nil || !strings.Contains(err.Error(), "clear text") {
		t.Errorf("got %v", err)
	}
}

func TestTheKeyIsReadFromItsFile(t *testing.T) {
	p, dir := newProvider(t), t.TempDir()
	p.city(t, 0)
	file := filepath.Join(t.TempDir(), "key")
	f := p.fetcher(t, dir, func(c *geofetch.Config) { c.Key, c.KeyFile = "", file })
	for content, want := range map[string]string{"": "holds no key", "two words\n": "more than one"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Once(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Once(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	for want, c := range map[string]geofetch.Config{
		"want dbip or maxmind":   {Provider: "other", Dir: "."},
		"no directory":           {Provider: "dbip"},
		"account's id":           {Provider: "maxmind", Dir: "."},
		"licence key is missing": {Provider: "maxmind", Dir: ".", Account: "1"},
		"over https only":        {Provider: "maxmind", Dir: ".", Account: "1", Key: "k", Base: "http://mirror.example"},
		"want a URL":             {Provider: "dbip", Dir: ".", Base: "mirror.example"},
		"want city, country":     {Provider: "dbip", Dir: ".", Editions: []string{"GeoIP2-City"}},
		"are about the same":     {Provider: "dbip", Dir: ".", Editions: []string{"city", "country"}},
		"tells places":           {Provider: "dbip", Dir: ".", Editions: []string{"asn"}},
		"or a name such as":      {Provider: "maxmind", Dir: ".", Account: "1", Key: "k", Editions: []string{"../x"}},
		"more often":             {Provider: "dbip", Dir: ".", Every: time.Second},
		"share of 2":             {Provider: "dbip", Dir: ".", MaxMove: 2},
		"-1 octets":              {Provider: "dbip", Dir: ".", MaxBytes: -1},
	} {
		if _, err := geofetch.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestOnlyOneFetchesIntoADirectory(t *testing.T) {
	p, dir := newProvider(t), t.TempDir()
	begun, end := make(chan struct{}), make(chan struct{})
	p.answers(func(w http.ResponseWriter, r *http.Request) { close(begun); <-end; w.WriteHeader(500) })
	done := make(chan error)
	go func() { _, err := p.fetcher(t, dir, nil).Once(t.Context()); done <- err }()
	<-begun
	if _, err := p.fetcher(t, dir, nil).Once(t.Context()); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("got %v", err)
	}
	close(end)
	<-done
}

func TestGzipStreamsOfTwoMembersAreOne(t *testing.T) {
	p, dir := newProvider(t), t.TempDir()
	var two bytes.Buffer
	b := archive(entry{"GeoLite2-City.mmdb", database(t, "GeoLite2-City", 0)})
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	two.Write(gzipped(plain[:700]))
	two.Write(gzipped(plain[700:]))
	p.publish(cityPath, two.Bytes())
	if _, err := p.fetcher(t, dir, nil).Once(t.Context()); err != nil {
		t.Error(err)
	}
}
