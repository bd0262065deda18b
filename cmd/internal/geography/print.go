package geography

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"landfall"
)

// Write tells an explanation to people.
func (e Explanation) Write(out io.Writer) error {
	w := &page{}
	w.head(e)
	w.place(e)
	w.measured(e.Measured)
	if e.Preference != "" {
		w.line("preference", "%s first, for %s", strings.Join(e.Regions, ", then "), e.Preference)
	}
	w.line("distance", "from %s", e.From)
	w.line("may be named", "%s", e.Basis)
	if e.Spread != "" {
		w.line("spread", "edges at one place are drawn for %s", e.Spread)
	}
	if e.Demand > 0 {
		more := ""
		if e.Overloaded {
			more = ", more than all edges together can serve: each gets as much too much"
		}
		w.line("demand", "%.0f requests a second%s", e.Demand, more)
	}
	w.text("\n%s\n", e.table())
	w.stages(e)
	w.answer(e)
	_, err := io.WriteString(out, w.b.String())
	return err
}

// page is text with a column of headings.
type page struct{ b strings.Builder }

func (w *page) text(format string, args ...any) { fmt.Fprintf(&w.b, format, args...) }

func (w *page) line(what, format string, args ...any) {
	fmt.Fprintf(&w.b, "%-14s%s\n", what, fmt.Sprintf(format, args...))
}

func (w *page) head(e Explanation) {
	client := e.Asked
	if client == "" {
		client = "clients that give no address away"
	}
	w.text("%s %s for %s, by map serial %d\n\n", e.Name, e.Type, client, e.Serial)
	if e.Client != "" {
		w.line("client", "%s, which is inside that address", e.Client)
	}
	if r := e.Resolver; r != nil {
		w.line("resolver", "for %d prefixes of clients, known from %.0f fetches: they decide", r.Prefixes, r.Fetches)
	}
}

func (w *page) place(e Explanation) {
	l := e.Location
	source := "by the database"
	if e.Override != "" {
		source = "by the override for " + e.Override
	}
	switch {
	case !l.Known:
		w.line("place", "unknown")
	default:
		var parts []string
		for _, s := range []string{l.City, l.Country, l.Continent} {
			if s != "" {
				parts = append(parts, s)
			}
		}
		w.line("place", "%s", strings.TrimPrefix(strings.Join(parts, ", ")+" at "+l.Place.String()+", "+source, " at "))
	}
	if l.Prefix != "" {
		w.line("", "so is all of %s", l.Prefix)
	}
	if l.ASN != 0 {
		w.line("network", "%s", strings.TrimSpace(fmt.Sprintf("AS%d %s", l.ASN, l.Organization)))
	}
}

func (w *page) measured(m *Measured) {
	if m == nil {
		return
	}
	for i, e := range m.Edges {
		what := ""
		if i == 0 {
			what = "measured"
		}
		state := ""
		switch {
		case !e.Enough:
			state = ": too old or too little to count"
		case !e.Fresh:
			state = ": not granted, geography's figure stands"
		}
		w.line(what, "%s %.1f ms, %.0f connections, the last %v ago%s", e.Edge, e.Milliseconds, e.Connections, seconds(e.AgeSeconds), state)
	}
	switch {
	case len(m.Order) > 0:
		w.line("", "%s puts %s first", m.Prefix, names(m.Order))
	default:
		w.line("", "geography decides for %s", m.Prefix)
	}
	if m.Explore != "" {
		w.line("", "%s is on trial in this epoch", m.Explore)
	}
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}

// table lists the edges in the order of their rank.
func (e Explanation) table() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\tEDGE\tREGION\tDISTANCE\tROUND TRIP\tSTATE\tLOAD\tNAMED\n")
	for i, d := range e.Edges {
		distance := fmt.Sprintf("%.0f km", d.Kilometres)
		if e.Resolver != nil || !e.Location.Known {
			distance = "-"
		}
		trip := fmt.Sprintf("%.0f ms", d.Milliseconds)
		if d.Measured {
			trip += " measured"
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", i+1, d.ID, d.Region, distance, trip, d.state(), d.load(), d.named())
	}
	t.Flush()
	return b.String()
}

func (d Edge) state() string {
	state := "up"
	if !d.Up {
		state = "down"
	}
	if d.Draining {
		state += ", draining"
	}
	if h := d.Health; h != nil {
		if h.Shy {
			state += ", has yet to answer"
		}
		if !h.Held.IsZero() {
			state += ", held down until " + h.Held.Local().Format("15:04:05")
		}
	}
	return state
}

func (d Edge) load() string {
	text := fmt.Sprintf("%.1f%%", 100*d.Load)
	if d.Ceiling != nil {
		text += fmt.Sprintf(" of %.1f%%", 100**d.Ceiling)
	}
	return text
}

func (d Edge) named() string {
	yes := "no"
	if d.Named {
		yes = "yes"
	}
	if d.Health != nil && !d.Up && d.Health.Error != "" {
		return yes + ": " + d.Why + " (" + d.Health.Error + ")"
	}
	return yes + ": " + d.Why
}

// stages tell where a choice was changed on its way.
func (w *page) stages(e Explanation) {
	steps := []struct {
		what  string
		edges []landfall.NodeID
	}{{"by rank", e.Ranked}, {"by ceilings", e.Base}, {"by health", e.Exact}, {"by budget", e.Named}}
	before := ""
	for i, s := range steps {
		if now := names(s.edges); i == 0 || now != before {
			w.line(s.what, "%s", now)
			before = now
		}
	}
}

func (w *page) answer(e Explanation) {
	var addrs []string
	for _, a := range e.Answer {
		addrs = append(addrs, a.String())
	}
	if len(addrs) == 0 {
		addrs = []string{"no address of this type"}
	}
	w.line("answer", "%s, for %v", strings.Join(addrs, ", "), seconds(e.Seconds))
	switch {
	case e.Scope != "":
		w.line("scope", "%s: all of it is told this, and of no wider prefix is that true", e.Scope)
	case e.Asked == "":
		w.line("scope", "0: all clients that give no address away are told this")
	}
}
