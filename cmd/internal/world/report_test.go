package world

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func someReport() *Report {
	ms := time.Millisecond
	return &Report{
		Ready: 900 * ms, Client: "New York", Edge: "nyc1", Home: "fra1",
		Straight: 150 * ms, Leg: 10 * ms, Rounds: 5, Ocean: 140 * ms, Server: ms / 2,
		Steps: []Step{
			{"load the page, cold", Timing{456 * ms, 450 * ms}, Timing{177 * ms, 170 * ms}},
			{"post a message", Timing{155 * ms, 150 * ms}, Timing{780 * ms, 150 * ms}},
		},
	}
}

func TestTableTellsSavingsAndDisturbance(t *testing.T) {
	var b bytes.Buffer
	if err := someReport().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"150ms to the home region, 10ms to its edge nyc1, which is 140ms from home",
		"load the page, cold        456.0 ms       177.0 ms     279.0 ms    2.58x   450 -> 170 ms + server\n",
		"    0.20x   150 -> 150 ms + server  (!)\n",
		"busy with something else",
		"no slow start",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	calm := someReport()
	calm.Steps = calm.Steps[:1]
	b.Reset()
	if err := calm.WriteTable(&b); err != nil || strings.Contains(b.String(), "(!)") {
		t.Errorf("a calm run is marked (%v):\n%s", err, b.String())
	}
}

func TestReportAsJSON(t *testing.T) {
	var b bytes.Buffer
	if err := someReport().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got reportJSON
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.ReadyMS != 900 || len(got.Steps) != 2 || got.Steps[0].EdgeFloorMS != 170 || got.Steps[0].Disturbed || !got.Steps[1].Disturbed {
		t.Errorf("%+v", got)
	}
}

func TestMedianOfRounds(t *testing.T) {
	if m := median([]time.Duration{9, 1, 5, 7, 3}); m != 5 {
		t.Errorf("got %v", m)
	}
}
