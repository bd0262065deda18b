package path

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"landfall"
)

// TestTranscripts runs the stories in testdata. A line that does not begin
// with a space is a command, with its time in front:
//
//	TIME peer ID ADDR...      SetPeer
//	TIME remove ID            RemovePeer
//	TIME heard ID ADDR        Heard
//	TIME spoke ID             Spoke
//	TIME pong ID N            Answered, for the probe numbered N; 0 is none
//	TIME run RTT [ADDR=RTT...] Tick until TIME; every probe is answered after
//	                          RTT, or that of its address, or never if that
//	                          is -; it prints events only
//	TIME tick                 Tick, printing probes and events
//	TIME status ID            Status
//
// Lines that begin with a space are what it printed. LANDFALL_UPDATE=1 in the
// environment rewrites them.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, want)
			if os.Getenv("LANDFALL_UPDATE") != "" {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s: got\n%s", file, got)
			}
		})
	}
}

type story struct {
	table   Table
	out     bytes.Buffer
	now     time.Duration
	numbers map[int]Probe // by the order they were sent in
	pongs   []pong
}

type pong struct {
	at    time.Duration
	probe Probe
}

var origin = time.Unix(1_000_000_000, 0)

func replay(t *testing.T, script []byte) []byte {
	s := &story{numbers: map[int]Probe{}}
	lines := bufio.NewScanner(bytes.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, " ") {
			continue
		}
		fmt.Fprintln(&s.out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := s.run(strings.Fields(line)); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return s.out.Bytes()
}

func (s *story) run(f []string) error {
	at, err := time.ParseDuration(f[0])
	if err != nil {
		return err
	}
	if f[1] == "run" {
		return s.until(at, f[2], f[3:])
	}
	s.now = at
	now := origin.Add(at)
	switch id := landfall.NodeID(append(f, "")[2]); f[1] {
	case "peer":
		var addrs []netip.AddrPort
		for _, a := range f[3:] {
			addrs = append(addrs, netip.MustParseAddrPort(a))
		}
		s.events(s.table.SetPeer(id, addrs, now))
	case "remove":
		s.table.RemovePeer(id)
	case "heard":
		s.table.Heard(id, netip.MustParseAddrPort(f[3]), now)
	case "spoke":
		s.table.Spoke(id, now)
	case "pong":
		n, err := strconv.Atoi(f[3])
		if err != nil {
			return err
		}
		fresh, events := s.table.Answered(id, s.numbers[n].Stamp, now)
		if !fresh {
			fmt.Fprintln(&s.out, "  ignored")
		}
		s.events(events)
	case "tick":
		s.tick(true)
	case "status":
		st, ok := s.table.Status(id)
		fmt.Fprintf(&s.out, "  %v rtt=%v loss=%.3f alive=%v known=%v ok=%v\n", st.Addr, st.RTT.Round(time.Millisecond), st.Loss, st.Alive, st.Known, ok)
	default:
		return fmt.Errorf("no such command %q", f[1])
	}
	return nil
}

// tick sends what is due.
func (s *story) tick(print bool) []Probe {
	probes, events := s.table.Tick(origin.Add(s.now))
	for _, p := range probes {
		s.numbers[len(s.numbers)+1] = p
		if print {
			fmt.Fprintf(&s.out, "  probe %s %v #%d\n", p.Peer, p.Addr, len(s.numbers))
		}
	}
	s.events(events)
	return probes
}

// until plays the network: it ticks when the table wants it to, and answers.
func (s *story) until(end time.Duration, usual string, others []string) error {
	special := map[string]string{}
	for _, o := range others {
		addr, rtt, _ := strings.Cut(o, "=")
		special[addr] = rtt
	}
	for {
		next := s.table.Next().Sub(origin)
		pongFirst := len(s.pongs) > 0 && s.pongs[0].at <= next
		if pongFirst {
			next = s.pongs[0].at
		}
		if next > end {
			s.now = end
			return nil
		}
		s.now = max(s.now, next)
		if pongFirst {
			p := s.pongs[0].probe
			s.pongs = s.pongs[1:]
			_, events := s.table.Answered(p.Peer, p.Stamp, origin.Add(s.now))
			s.events(events)
			continue
		}
		for _, p := range s.tick(false) {
			text := cmp.Or(special[p.Addr.String()], usual)
			if text == "-" {
				continue
			}
			rtt, err := time.ParseDuration(text)
			if err != nil {
				return err
			}
			s.pongs = append(s.pongs, pong{s.now + rtt, p})
			slices.SortStableFunc(s.pongs, func(a, b pong) int { return cmp.Compare(a.at, b.at) })
		}
	}
}

func (s *story) events(events []Event) {
	for _, e := range events {
		fmt.Fprintf(&s.out, "  %v %s %v %v\n", s.now, e.Peer, e.Kind, e.Addr)
	}
}
