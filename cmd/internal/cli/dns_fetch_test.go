package cli

import (
	"bytes"
	"compress/gzip"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/spf13/pflag"
)

// cityIn is a free database, packed, in which two networks are in a country
// each.
func cityIn(t *testing.T, first, second string) []byte {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "DBIP-City-Lite", RecordSize: 24, BuildEpoch: 1_790_000_000, Description: map[string]string{"en": "a test"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, code := range []string{first, second} {
		_, block, _ := net.ParseCIDR([]string{"20.0.0.0/8", "21.0.0.0/16"}[i])
		v := mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}, "location": mmdbtype.Map{"latitude": mmdbtype.Float64(1), "longitude": mmdbtype.Float64(2)}}
		if err := w.Insert(block, v); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := w.WriteTo(z); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// fetchInto runs the command in the environment.
func fetchInto(t *testing.T, env *Env, args ...string) error {
	t.Helper()
	c := dnsFetchCommand()
	set := pflag.NewFlagSet(c.Path, pflag.ContinueOnError)
	c.Flags(&Flags{set})
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c.Run(t.Context(), env, nil)
}

func TestDNSFetchTellsWhatMoved(t *testing.T) {
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(body) }))
	defer srv.Close()
	env, out, _ := testEnv(t, "")
	args := []string{"--to", "geo", "--editions", "city", "--base", srv.URL}

	body = cityIn(t, "DE", "FR")
	if err := fetchInto(t, &env, args...); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "dbip-city-lite.mmdb: DBIP-City-Lite of 2026-09-21, 0.0 MB, new\n") || strings.Contains(got, "elsewhere") {
		t.Errorf("first:\n%s", got)
	}
	out.Reset()
	if err := fetchInto(t, &env, args...); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "dbip-city-lite.mmdb: DBIP-City-Lite of 2026-09-21, 0.0 MB, no newer one\n") || strings.Contains(got, "elsewhere") {
		t.Errorf("again:\n%s", got)
	}
	out.Reset()
	body = cityIn(t, "DE", "GB")
	if err := fetchInto(t, &env, args...); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0.39% of the known IPv4 addresses are elsewhere", "         65536         1  FR (1,2) -> GB (1,2)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("second:\n%s\nwithout %q", out.String(), want)
		}
	}
	out.Reset()
	body = cityIn(t, "AT", "GB")
	if err := fetchInto(t, &env, args...); err == nil || !strings.Contains(err.Error(), "99.6% of the known IPv4 addresses would move") {
		t.Errorf("most of the world moved: %v", err)
	}
	if !strings.Contains(out.String(), "DE (1,2) -> AT (1,2)") {
		t.Errorf("what would have moved is not shown:\n%s", out)
	}
	if err := fetchInto(t, &env, append(args, "--force")...); err != nil {
		t.Error(err)
	}
}

func TestDNSFetchSaysWhatIsMissing(t *testing.T) {
	env, _, _ := testEnv(t, "")
	for want, args := range map[string][]string{
		"--to is needed":         {},
		"--max-move":             {"--to", "geo", "--max-move", "20"},
		"leaves everything":      {"--to", "geo", "--max-move", "0%"},
		"account's id":           {"--to", "geo", "--provider", "maxmind"},
		"licence key is missing": {"--to", "geo", "--provider", "maxmind", "--account", "7"},
	} {
		if err := fetchInto(t, &env, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}
