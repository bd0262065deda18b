package config

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"landfall"
)

// TestWriteRoundTrip: what is written is read as the same map, whatever the
// map uses, with and without the manual.
func TestWriteRoundTrip(t *testing.T) {
	full, problems := Parse("example.toml", []byte(Example()))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	full.Nodes = nil
	full.Regions[1].Title = "New \"York\"\\\tCity"
	bare := &landfall.Map{Network: "shop", Domain: "edge.example.com", Regions: full.Regions[:1]}
	for _, m := range []*landfall.Map{full, bare} {
		for _, manual := range []bool{true, false} {
			text := Write(m, manual)
			got, problems := Parse("network.toml", []byte(text))
			if len(problems) > 0 {
				t.Fatalf("%s\n%s", (&Error{problems}).Explain(), text)
			}
			want, _ := json.Marshal(m.Clone())
			have, _ := json.Marshal(got.Clone())
			if !bytes.Equal(want, have) {
				t.Errorf("got  %s\nwant %s\nfrom %s", have, want, text)
			}
			if strings.Contains(text, "\n\n\n") || strings.Contains(text, "#") != manual {
				t.Errorf("gaps or comments where none belong:\n%s", text)
			}
		}
	}
}

// TestWriteSamplesAreRight: every commented sample of the manual can be put
// in force by taking the # away.
func TestWriteSamplesAreRight(t *testing.T) {
	text := Write(&landfall.Map{Network: "shop", Domain: "edge.example.com", Regions: []landfall.Region{{ID: "fra", Home: true}}}, true)
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") && line != "#\n" {
			line = line[1:]
		}
		b.WriteString(line)
	}
	m, problems := Parse("network.toml", []byte(b.String()))
	if len(problems) > 0 {
		t.Fatal((&Error{problems}).Explain())
	}
	if len(m.Services) != 1 || len(m.Records) != 1 || len(m.Zones) != 1 || len(m.Zones[0].Records) != 1 || !m.ACME.Agreed || m.Steering.Answers != 2 || m.Ports.HTTPS != 443 {
		t.Errorf("samples not taken up: %+v", m)
	}
}
