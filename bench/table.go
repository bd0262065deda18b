package main

import (
	"bytes"
	"fmt"
	"io"
)

// write prints the figures beside what is aimed at.
func (f *figures) write(w io.Writer, where string, rounds int) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Landfall, the whole network in one process: medians of %d rounds (smallest – largest)\n%s\n\n", rounds, where)
	fmt.Fprintf(&b, "%-34s %10.1f MB %25s   aim: at most 60 MB\n", "binary", float64(f.binary)/1e6, "")
	row(&b, "process start to ready", f.ready, "s", 2, "at most 2 s")
	row(&b, "resident when idle (RSS)", f.rss, "MB", 1, "at most 150 MB for three regions")
	row(&b, "resident when idle (PSS)", f.pss, "MB", 1, "")
	row(&b, "Ctrl-C to the end", f.stop, "s", 2, "at most 2 s")
	row(&b, "page at the home region itself", f.server, "ms", 1, "")
	fmt.Fprintln(&b)
	fmt.Fprintf(&b, "%-22s %28s %8s %7s %28s %8s %7s %7s\n", "the tour, ms", "straight", "floor", "over", "edge", "floor", "over", "faster")
	for _, s := range f.steps {
		fmt.Fprintf(&b, "%-22s %28s %8.0f %6.1f%% %28s %8.0f %6.1f%% %6.2fx\n", s.name,
			spread(s.straight, 1), s.straightFloor, over(s.straight, s.straightFloor),
			spread(s.edge, 1), s.edgeFloor, over(s.edge, s.edgeFloor), ratio(s.straight, s.edge))
	}
	fmt.Fprintf(&b, "\nThe floor is arithmetic: round trips only, without the server's own time. Aim: the cold page\nthrough the edge within 10%% of floor and server.\n")
	_, err := w.Write(b.Bytes())
	return err
}

func row(w io.Writer, name string, s sample, unit string, digits int, aim string) {
	low, high := s.ends()
	if aim != "" {
		aim = "   aim: " + aim
	}
	fmt.Fprintf(w, "%-34s %10.*f %-2s %25s%s\n", name, digits, s.median(), unit,
		fmt.Sprintf("(%.*f – %.*f)", digits, low, digits, high), aim)
}

func spread(s sample, digits int) string {
	low, high := s.ends()
	return fmt.Sprintf("%.*f (%.*f – %.*f)", digits, s.median(), digits, low, digits, high)
}

// over is by how many percent the median is above the floor.
func over(s sample, floor float64) float64 {
	if floor == 0 {
		return 0
	}
	return (s.median()/floor - 1) * 100
}

func ratio(a, b sample) float64 {
	if b.median() == 0 {
		return 0
	}
	return a.median() / b.median()
}
