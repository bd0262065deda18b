package world

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// WriteTable writes the report as people read it.
func (r *Report) WriteTable(w io.Writer) error {
	p := printer{w: w}
	p.line("A client in %s: %v to the home region, %v to its edge %s, which is %v from home (round trips).",
		r.Client, r.Straight, r.Leg, r.Edge, r.Ocean)
	p.line("")
	p.line("%-22s %12s %14s %12s %8s   %s", "", "straight", "through "+string(r.Edge), "saved", "faster", "by arithmetic")
	disturbed := false
	for _, s := range r.Steps {
		mark := ""
		if r.disturbed(s) {
			mark, disturbed = "  (!)", true
		}
		p.line("%-22s %9.1f ms %11.1f ms %9.1f ms %7.2fx   %.0f -> %.0f ms + server%s", s.Name,
			ms(s.Straight.Measured), ms(s.Edge.Measured), ms(s.Straight.Measured-s.Edge.Measured),
			float64(s.Straight.Measured)/float64(s.Edge.Measured), ms(s.Straight.Floor), ms(s.Edge.Floor), mark)
	}
	p.line("")
	if disturbed {
		p.line("(!) far above what distance and server explain: this machine was busy with something else. Measure again.")
	}
	p.line("Medians of %d rounds, measured just now; the server itself takes %.1f ms for the page.", r.Rounds, ms(r.Server))
	p.line("The mesh is real: WireGuard over UDP, its datagrams held back for the ocean. The client's own links are")
	p.line("modelled: one round trip to connect, then half of one for what is sent each way, and no slow start.")
	return p.err
}

// disturbed reports whether a step took so much longer than distance and
// server explain that its figures say more about the machine than about the
// network: by more than a sixth and 15 ms.
func (r *Report) disturbed(s Step) bool {
	over := func(t Timing) bool { return t.Measured > t.Floor*7/6+r.Server+15*time.Millisecond }
	return over(s.Straight) || over(s.Edge)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// printer remembers the first fault of many writes.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// The JSON form: milliseconds, names as the table has them.
type reportJSON struct {
	ReadyMS  float64    `json:"ready_ms"`
	Client   string     `json:"client"`
	Edge     string     `json:"edge"`
	Home     string     `json:"home"`
	Rounds   int        `json:"rounds"`
	OceanMS  float64    `json:"ocean_ms"`
	ServerMS float64    `json:"server_ms"`
	Steps    []stepJSON `json:"steps"`
}

type stepJSON struct {
	Name            string  `json:"name"`
	StraightMS      float64 `json:"straight_ms"`
	EdgeMS          float64 `json:"edge_ms"`
	StraightFloorMS float64 `json:"straight_floor_ms"`
	EdgeFloorMS     float64 `json:"edge_floor_ms"`
	Disturbed       bool    `json:"disturbed"` // far above what distance and server explain
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	out := reportJSON{ms(r.Ready), r.Client, string(r.Edge), string(r.Home), r.Rounds, ms(r.Ocean), ms(r.Server), nil}
	for _, s := range r.Steps {
		out.Steps = append(out.Steps, stepJSON{s.Name, ms(s.Straight.Measured), ms(s.Edge.Measured), ms(s.Straight.Floor), ms(s.Edge.Floor), r.disturbed(s)})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
