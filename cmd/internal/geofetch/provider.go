package geofetch

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The providers.
const (
	DBIP    = "dbip"    // https://db-ip.com/db/lite.php: monthly, no account
	MaxMind = "maxmind" // https://dev.maxmind.com/geoip/updating-databases/: an account and a licence key
)

// edition is one database of a provider.
type edition struct {
	name     string // "city", or the provider's name
	file     string // in the directory
	kind     string // what the database says its type is
	networks bool   // it knows networks, not places
}

// is reports whether a database of some type is the edition. Some makers say
// as well whose layout it has: "DBIP-ASN-Lite (compat=GeoLite2-ASN)".
func (e edition) is(kind string) bool {
	name, layout, _ := strings.Cut(kind, " (")
	return name == e.kind && (layout == "" || strings.HasPrefix(layout, "compat="))
}

// source is where an edition can be had.
type source struct {
	url    string
	sum    string // where the SHA-256 of the answer is published; empty: nowhere
	packed string // the file within a tar archive; empty: the answer is no archive
}

// editions resolves the names of editions.
func (c *Config) editions() ([]edition, error) {
	names := c.Editions
	if len(names) == 0 {
		names = []string{"city", "asn"}
	}
	var out []edition
	for _, name := range names {
		e, ok := editionOf(c.Provider, name)
		if !ok {
			return nil, fmt.Errorf("edition %q: want city, country or asn%s", name, map[bool]string{true: ", or a name such as GeoIP2-City"}[c.Provider == MaxMind])
		}
		if i := slices.IndexFunc(out, func(o edition) bool { return o.networks == e.networks }); i >= 0 {
			return nil, fmt.Errorf("editions %q and %q are about the same: name one of places and at most one of networks", out[i].name, name)
		}
		out = append(out, e)
	}
	if !slices.ContainsFunc(out, func(e edition) bool { return !e.networks }) {
		return nil, errors.New("no edition tells places: add city or country")
	}
	return out, nil
}

func editionOf(provider, name string) (edition, bool) {
	simple := slices.Contains([]string{"city", "country", "asn"}, name)
	switch {
	case provider == DBIP && simple:
		title := map[string]string{"city": "City", "country": "Country", "asn": "ASN"}[name]
		return edition{name, "dbip-" + name + "-lite.mmdb", "DBIP-" + title + "-Lite", name == "asn"}, true
	case provider == MaxMind && simple:
		full := map[string]string{"city": "GeoLite2-City", "country": "GeoLite2-Country", "asn": "GeoLite2-ASN"}[name]
		return edition{name, full + ".mmdb", full, name == "asn"}, true
	case provider == MaxMind && regexp.MustCompile(`^Geo(IP|Lite)2-[A-Za-z0-9-]{2,40}$`).MatchString(name):
		return edition{name, name + ".mmdb", name, strings.HasSuffix(name, "-ASN") || strings.HasSuffix(name, "-ISP")}, true
	}
	return edition{}, false
}

// sources are where an edition can be had, the newest first. DB-IP's files
// bear the month, and appear some time on its first days.
func (c *Config) sources(e edition, now time.Time) []source {
	if c.Provider == MaxMind {
		at := c.Base + "/geoip/databases/" + e.kind + "/download?suffix=tar.gz"
		return []source{{url: at, sum: at + ".sha256", packed: e.file}}
	}
	var out []source
	first := time.Date(now.UTC().Year(), now.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	for _, month := range []time.Time{first, first.AddDate(0, -1, 0)} {
		out = append(out, source{url: c.Base + "/free/" + strings.TrimSuffix(e.file, ".mmdb") + month.Format("-2006-01") + ".mmdb.gz"})
	}
	return out
}

// credentials checks who we are and whom we ask.
func (c *Config) credentials() error {
	own, ok := map[string]string{DBIP: "https://download.db-ip.com", MaxMind: "https://download.maxmind.com"}[c.Provider]
	if !ok {
		return fmt.Errorf("provider %q: want %s or %s", c.Provider, DBIP, MaxMind)
	}
	if c.Base == "" {
		c.Base = own
	}
	c.Base = strings.TrimSuffix(c.Base, "/")
	u, err := url.Parse(c.Base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("base %q: want a URL such as %s", c.Base, own)
	}
	if c.Provider != MaxMind {
		return nil
	}
	switch {
	case u.Scheme != "https":
		return fmt.Errorf("base %q: the licence key is sent over https only", c.Base)
	case c.Account == "":
		return errors.New("maxmind: the account's id is missing")
	case c.KeyFile == "" && c.Key == "":
		return errors.New("maxmind: the licence key is missing: name a file that holds it")
	}
	return nil
}

// key is the licence key of now.
func (c *Config) key() (string, error) {
	if c.KeyFile == "" {
		return c.Key, nil
	}
	b, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return "", fmt.Errorf("licence key: %w", err)
	}
	key := strings.TrimSpace(string(b))
	if key == "" || strings.ContainsAny(key, " \t\r\n") {
		return "", fmt.Errorf("licence key: %s holds no key, or more than one", c.KeyFile)
	}
	return key, nil
}
