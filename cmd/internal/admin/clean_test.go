package admin

import (
	"strings"
	"testing"
	"time"
)

func TestCleanLeavesNothingForATerminalToObey(t *testing.T) {
	now := time.Now()
	s := Status{
		Node: "nyc1\x1b[2K", Started: now, Waiting: []string{"a map\r\nnyc1 yes"}, Version: strings.Repeat("v", 5000),
		Paths: []Path{{Peer: "fra1\x00", Endpoint: "192.0.2.1:51820"}}, Certificates: []Certificate{{Hosts: []string{"é.example\u2028x"}}},
		Error: "x\x1b]0;pwned\x07\xff",
	}
	Clean(&s)
	for got, want := range map[string]string{
		string(s.Node): "nyc1?[2K", s.Waiting[0]: "a map??nyc1 yes", string(s.Paths[0].Peer): "fra1?", s.Paths[0].Endpoint: "192.0.2.1:51820",
		s.Certificates[0].Hosts[0]: "é.example?x", s.Error: "x?]0;pwned??",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if len(s.Version) > maxText+3 || !s.Started.Equal(now) {
		t.Errorf("%d bytes of version, started %v", len(s.Version), s.Started)
	}
}
