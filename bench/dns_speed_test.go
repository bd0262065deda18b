package main

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall/bench/atlas"
	"landfall/bench/load"
)

func TestAimsAreOfCasesThatAreMeasured(t *testing.T) {
	w, err := atlas.New(1)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]*contest{}
	for _, c := range contests(w) {
		cases[c.name] = c
		size := len(c.queries[0].Append(nil))
		if slices.ContainsFunc(c.queries, func(q wanted) bool { return len(q.Append(nil)) != size }) {
			t.Errorf("%s: questions of several lengths", c.name)
		}
	}
	for _, a := range aims() {
		for _, e := range []entry{a.one, a.other} {
			if c := cases[e.contest]; c == nil || !slices.Contains(c.servers, e.server) {
				t.Errorf("%s: there is no %v", a.what, e)
			}
		}
	}
}

func TestSpeedsShowCostsBesideOthers(t *testing.T) {
	geo := &speeds{contest: &contest{name: "geo", servers: []string{ours, gdnsd}}, turns: map[string][]turn{
		ours:  {{cost: 3, speed: 250_000, saw: load.Saw{Wrong: 2, Checked: 10}}, {cost: 5, speed: 200_000, saw: load.Saw{Lost: 1, Checked: 10}}},
		gdnsd: {{cost: 6}, {cost: 5}},
	}}
	var out bytes.Buffer
	geo.row(&out, ours, against([]*speeds{geo}, entry{"geo", ours}, entry{"geo", gdnsd}))
	if want := "| geo | landfall | 4.00 (3.00 – 5.00) | 0.75 | 225 (200 – 250) | 1 | 2 | 20 | 0 % | 0 % |\n"; out.String() != want {
		t.Errorf("%s; want\n%s", &out, want)
	}
	out.Reset()
	aims()[0].write(&out, []*speeds{geo})
	if !strings.Contains(out.String(), "0.75 (0.50 – 1.00) | at most 1.00") {
		t.Errorf("the aim: %s", &out)
	}
	aims()[4].write(&out, []*speeds{geo})
	if strings.Contains(out.String(), "static") {
		t.Errorf("an aim of a case that was not measured: %s", &out)
	}
}

func TestProcessorTimeOfChildrenCounts(t *testing.T) {
	// The shell has a child work, and then waits for its input.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "sh -c 'while :; do :; done' & trap \"kill $!\" EXIT; read x")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		cost, err := spent(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if cost > 2*jiffy {
			break
		}
		if time.Now().After(deadline) {
			t.Error("a child has worked for half a minute, and nothing is counted")
			break
		}
	}
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	cmd.Wait()
	if _, err := spent(cmd.Process.Pid); err == nil {
		t.Error("counted the time of a process that is gone")
	}
	if all, err := used(); err != nil || all == 0 {
		t.Errorf("the machine has worked for %v, %v", all, err)
	}
	if own, err := spent(os.Getpid()); err != nil || own < 0 {
		t.Errorf("%v, %v", own, err)
	}
}
