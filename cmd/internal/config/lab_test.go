package config

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall/mesh/wan"
)

var updateLab = flag.Bool("update-lab", false, "write what is said of testdata/lab into it")

// Every kind of fault, told at its place.
func TestLabFaults(t *testing.T) {
	src, err := os.ReadFile("testdata/lab/bad.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, problems := ParseLab("bad.toml", src)
	got := (&Error{problems}).Explain()
	if *updateLab {
		if err := os.WriteFile("testdata/lab/bad.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/lab/bad.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("go test -update-lab, or:\n%s", got)
	}
}

const goodLab = `
seed = 7
place = [{ name = "fra", place = "50.11,8.68" }, { name = "nyc", place = "40.71,-74.01" }, { name = "sin" }]

[[link]]
between = ["fra", "nyc"]
loss = "1%"
burst = { enter = "1%", leave = "50%", loss = "100%" }
rate = "2.5 Gbit/s"
queue = "64 KiB"
mark = "9 kB"
icmp = false

[[link]]
between = ["fra", "sin"]
one_way = true
delay = "80ms"

[[link]]
between = ["sin", "fra"]
one_way = true
rtt = "180ms"

[[host]]
name = "a"
place = "fra"
addresses = ["192.0.2.1"]
nat = "symmetric"
inside = "10.0.0.1"

[[host]]
name = "b"
place = "fra"
addresses = ["192.0.2.1"]
nat = "symmetric"
inside = "10.0.0.2"
open = []

[[phase]]
name = "p"
lasts = "3s"
event = [{ at = "2s", plug = "a" }, { at = "1s", change = ["sin", "fra"], loss = "10%", rtt = "20ms" }]
`

func TestLabIsReadAsItIsMeant(t *testing.T) {
	l, problems := ParseLab("lab.toml", []byte(goodLab))
	if problems != nil {
		t.Fatal((&Error{problems}).Explain())
	}
	far := l.Links[0].Link
	if rtt := 2 * far.Delay; rtt < 60*time.Millisecond || rtt > 130*time.Millisecond {
		t.Errorf("over the ocean and back in %v", rtt)
	}
	far.Delay = 0
	if want := (wan.Link{Loss: 0.01, Burst: wan.Burst{Enter: 0.01, Leave: 0.5, Loss: 1}, Rate: 2_500_000_000, Queue: 64 << 10, Mark: 9000}); far != want {
		t.Errorf("link %+v, want %+v", far, want)
	}
	if a, b := l.Links[1].Link, l.Links[2].Link; a.Delay != 80*time.Millisecond || b.Delay != 90*time.Millisecond || !a.ICMP {
		t.Errorf("links %+v and %+v", a, b)
	}
	if !l.Hosts[1].Closed || l.Hosts[0].Closed || l.Seed != 7 || l.Report.Repeats != LabRepeats {
		t.Errorf("lab %+v", l)
	}
	events := l.Phases[0].Events
	if verb, to := events[0].What(); verb != "change" || !slices.Equal(to, []string{"sin", "fra"}) {
		t.Errorf("first %s %v: events are not in the order of their times", verb, to)
	}
	was := wan.Link{Delay: time.Second, Loss: 0.5, Rate: 9}
	if got := events[0].Apply(was); got != (wan.Link{Delay: 10 * time.Millisecond, Loss: 0.1, Rate: 9}) {
		t.Errorf("changed to %+v", got)
	}
}

func FuzzParseLab(f *testing.F) {
	bad, err := os.ReadFile("testdata/lab/bad.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bad)
	f.Add([]byte(goodLab))
	f.Add([]byte("[[phase]]\nevent = [{at = 1}]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		l, problems := ParseLab("lab.toml", src)
		if len(problems) > 0 {
			if text := (&Error{problems}).Explain(); !strings.HasPrefix(text, "lab.toml:") {
				t.Errorf("explained as %q", text)
			}
			return
		}
		for _, k := range l.Links {
			if err := k.Link.Check(); err != nil || len(k.Between) != 2 {
				t.Errorf("a link %+v: %v", k, err)
			}
		}
		for _, p := range l.Phases {
			for _, e := range p.Events {
				if verb, to := e.What(); verb == "" || len(to) == 0 {
					t.Errorf("an event in which nothing happens: %+v", e)
				}
			}
		}
	})
}

// What a user types is judged as the file is.
func TestLabOrders(t *testing.T) {
	l, problems := ParseLab("lab.toml", []byte(goodLab))
	if problems != nil {
		t.Fatal((&Error{problems}).Explain())
	}
	e, err := ParseLabOrder(l, "change", []string{"nyc", "fra", "loss=5%", "rtt=20ms", "mtu=1280", "icmp=false", `burst={enter = "1%", leave = "50%", loss = "100%"}`})
	if err != nil {
		t.Fatal(err)
	}
	want := wan.Link{Delay: 10 * time.Millisecond, Loss: 0.05, MTU: 1280, Burst: wan.Burst{Enter: 0.01, Leave: 0.5, Loss: 1}, Rate: 9}
	if got := e.Apply(wan.Link{Rate: 9, ICMP: true}); got != want {
		t.Errorf("changed to %+v, want %+v", got, want)
	}
	if e, err := ParseLabOrder(l, "unplug", []string{"a"}); err != nil || e.Unplug != "a" {
		t.Errorf("unplug %+v, %v", e, err)
	}
	for order, want := range map[string]string{
		"crash a":                   `"crash" is no order`,
		"cut fra":                   "two places",
		"cut fra nyc sin":           "two places",
		"plug a b":                  "a host",
		"change fra nyc":            "say what does",
		"change fra nyc loss":       "write KEY=VALUE",
		"change fra nyc los=5%":     "did you mean loss?",
		"change fra nyc loss=5":     "percentage",
		"change fra nyc cut.x=1":    "write KEY=VALUE",
		"change fra nyc plug=a":     "in one event",
		"change fra nyc rate=fast":  "is not a rate",
		"change fra nyc mtu={":      "",
		"cut sin nyc":               "no link between sin and nyc",
		"heal fra nyk":              `did you mean "nyc"?`,
		"unplug c":                  `no host "c"`,
		"change fra nyc loss=1\"\n": "",
	} {
		words := strings.Split(order, " ")
		if e, err := ParseLabOrder(l, words[0], words[1:]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want %q", order, e, err, want)
		}
	}
}

func FuzzParseLabOrder(f *testing.F) {
	l, problems := ParseLab("lab.toml", []byte(goodLab))
	if problems != nil {
		f.Fatal((&Error{problems}).Explain())
	}
	f.Add("change fra nyc loss=5% burst={enter=1}")
	f.Add("unplug a")
	f.Add("cut fra \"nyc\n")
	f.Fuzz(func(t *testing.T, order string) {
		words := strings.Split(order, " ")
		e, err := ParseLabOrder(l, words[0], words[1:])
		if err != nil {
			return
		}
		if verb, to := e.What(); verb != words[0] || len(to) != LabOrderSize(verb) {
			t.Errorf("%q does %s to %q", order, verb, to)
		}
		if got := e.Apply(wan.Link{}); got.Check() != nil {
			t.Errorf("%q makes a link %+v", order, got)
		}
	})
}
