package cli

import (
	"strings"
	"testing"
	"time"

	"landfall/cmd/internal/admin"
)

func TestStatusTellsOfWays(t *testing.T) {
	o := admin.Overview{Nodes: []admin.Status{
		{Node: "fra1", Mesh: &admin.Mesh{Front: "tun", Relayed: 1_250_000, Probed: 391_000, Refused: 3, LastRefused: "tcp/22 from nyc1"}},
		{Node: "nyc1", Mesh: &admin.Mesh{Front: "netstack", Relayed: 39_900, Probed: 391_000}, Paths: []admin.Path{
			{Peer: "fra1", Endpoint: "192.0.2.1:51820", RTT: admin.Milliseconds(140 * time.Millisecond), Alive: true},
			{Peer: "sin1", Endpoint: "via fra1", Via: "fra1", Why: "230ms instead of 300ms", Alive: true, Ways: []admin.Way{
				{Way: "192.0.2.3:51820", State: "mute", Why: "mute: answers probes, forwards nothing; tried again in 50s"},
			}},
			{Peer: "tyo1", Endpoint: "via fra1", Via: "fra1", Why: "it is dead anyway"},
		}},
	}}
	var b strings.Builder
	if err := writeWays(&b, o); err != nil {
		t.Fatal(err)
	}
	want := `
fra1 has relayed 1.2 MB for others
fra1 does not let nodes reach what they tried to, the last tcp/22 from nyc1 (3 packets)
nyc1 reaches sin1 by way of fra1: 230ms instead of 300ms
nyc1 to sin1 by 192.0.2.3:51820: mute: answers probes, forwards nothing; tried again in 50s
`
	if b.String() != want {
		t.Errorf("got %s\nwant %s", &b, want)
	}
	b.Reset()
	if err := writeWays(&b, admin.Overview{Nodes: o.Nodes[:0]}); err != nil || b.Len() > 0 {
		t.Errorf("of nothing: %q, %v", &b, err)
	}
	if got := paths(o.Nodes[1].Paths); got != "fra1 140.0ms 0% lost, sin1 0.0ms 0% lost via fra1, tyo1 dead" {
		t.Error(got)
	}
}

func TestBytesForPeople(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 1_499_999: "1.5 MB", 1 << 63: "9.2 EB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
