package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"landfall/cmd/internal/config"
	"landfall/mesh/wan"
)

// report prints the tables, and writes the file.
func (r *runner) report() error {
	if len(r.measured) == 0 {
		return nil
	}
	return errors.Join(r.lateness(), r.drops(), r.results(), r.write())
}

// lateness is how good the measurement itself was.
func (r *runner) lateness() error {
	w := r.table("phase", "took", "packets", "late p50", "p99", "max", "stolen", "repeats", "")
	for _, m := range r.measured {
		note := ""
		if m.Late() != nil {
			note = "late"
		}
		row(w, m.Name, span(m.Took), m.Packets, fine(m.LateP50), fine(m.LateP99), fine(m.LateMax), fine(m.Stolen), m.Repeats, note)
	}
	return w.Flush()
}

// drops are what links did with packets.
func (r *runner) drops() error {
	w := r.table("phase", "link", "arrived", "lost", "queue full", "cut", "too big")
	for _, m := range r.measured {
		for _, l := range m.Links {
			row(w, m.Name, fmt.Sprintf("%s -> %s", l.From, l.To), l.Passed, l.Lost, l.Full, l.Cut, l.TooBig)
		}
	}
	return w.Flush()
}

// results are those of commands, and of programs that fell, if there were any.
func (r *runner) results() error {
	var w *tabwriter.Writer
	tell := func(cells ...any) {
		if w == nil {
			w = r.table("phase", "command", "result", "last line")
		}
		row(w, cells...)
	}
	for _, m := range r.measured {
		if m.Command != "" {
			tell(m.Name, m.Command, result(m.Failed), m.Said)
		}
		for _, f := range r.falls {
			if f.phase == m.Name {
				tell(m.Name, f.program, result(f.how), f.said)
			}
		}
	}
	if w == nil {
		return nil
	}
	return w.Flush()
}

// result is what went wrong; the rest is in the log.
func result(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

func (r *runner) table(head ...any) *tabwriter.Writer {
	r.say("")
	w := tabwriter.NewWriter(r.config.Out, 0, 0, 2, ' ', 0)
	row(w, head...)
	return w
}

func row(w *tabwriter.Writer, cells ...any) {
	var text []string
	for _, c := range cells {
		text = append(text, fmt.Sprint(c))
	}
	fmt.Fprintln(w, strings.TrimRight(strings.Join(text, "\t"), "\t")) // the table is whole or lost at Flush
}

// figures are a phase in the report's file. Times are in seconds.
type figures struct {
	Phase   string   `json:"phase"`
	Took    float64  `json:"took_seconds"`
	Packets uint64   `json:"packets"`
	LateP50 float64  `json:"late_p50_seconds"`
	LateP99 float64  `json:"late_p99_seconds"`
	LateMax float64  `json:"late_max_seconds"`
	Late    bool     `json:"late"`
	Stolen  float64  `json:"stolen_seconds"`
	Repeats int      `json:"repeats"`
	Links   []link   `json:"links"`
	Command *command `json:"command,omitempty"`
}

type link struct {
	From    wan.Site `json:"from"`
	To      wan.Site `json:"to"`
	Arrived uint64   `json:"arrived"`
	Lost    uint64   `json:"lost"`
	Full    uint64   `json:"queue_full"`
	Cut     uint64   `json:"cut"`
	TooBig  uint64   `json:"too_big"`
}

type command struct {
	OK   bool   `json:"ok"`
	Said string `json:"last_line"`
}

// write puts all figures into the report's file.
func (r *runner) write() error {
	if r.config.Lab.Report.File == "" {
		return nil
	}
	out := []figures{}
	for _, m := range r.measured {
		f := figures{Phase: m.Name, Took: m.Took.Seconds(), Packets: m.Packets, LateP50: m.LateP50.Seconds(), LateP99: m.LateP99.Seconds(),
			LateMax: m.LateMax.Seconds(), Late: m.Late() != nil, Stolen: m.Stolen.Seconds(), Repeats: m.Repeats, Links: []link{}}
		for _, l := range m.Links {
			f.Links = append(f.Links, link{l.From, l.To, l.Passed, l.Lost, l.Full, l.Cut, l.TooBig})
		}
		if m.Command != "" {
			f.Command = &command{m.Failed == nil, m.Said}
		}
		out = append(out, f)
	}
	b, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.lab.Dir(), r.config.Lab.Report.File), append(b, '\n'), 0o644)
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// span is a time for people, to a hundredth of a second.
func span(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s" }

func offset(d time.Duration) string { return fmt.Sprintf("%8s", span(d)) }

// fine is a time that is short, as a rule.
func fine(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 3, 64) + " ms"
}

// ends is what ends a phase.
func ends(p config.LabPhase) string {
	switch {
	case len(p.Command) == 0:
		return span(p.Lasts)
	case p.Lasts == 0:
		return fmt.Sprintf("until %s on %s ends", p.Command[0], p.Host)
	}
	return fmt.Sprintf("until %s on %s ends, within %s", p.Command[0], p.Host, span(p.Lasts))
}
