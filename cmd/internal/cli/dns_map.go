package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"landfall"
	"landfall/cmd/internal/geography"
	"landfall/cmd/internal/geomap"
	"landfall/geodns/plan"
	"landfall/geodns/steer"
)

func dnsMapCommand() Command {
	var dir, file string
	var f worldFlags
	return Command{
		Path:  "dns map",
		Short: "Draw the world with the area that each edge serves",
		Long: `Draws who is told which edge first: areas by the place alone, dots for the
clients of the databases by all that counts, sized by their number. A place whose
nearest edge does not serve is hatched. Figures stand in the legend.

Asks the name server that runs here; with --network and --geo, draws what one
would answer by these files.`,
		Flags: func(fs *Flags) {
			runningFlag(fs, &dir)
			fs.String(&file, "svg", "", "`FILE` to write the drawing to, an SVG document; \"-\" is the standard output")
			f.declare(fs)
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			if file == "" {
				return Usagef("--svg is needed: the file to write, such as world.svg")
			}
			m, v, err := look(ctx, env, dir, f)
			if err != nil {
				return err
			}
			return writeDrawing(env, file, drawing(m, v))
		},
	}
}

// look is what there is to draw.
func look(ctx context.Context, env *Env, dir string, f worldFlags) (m *landfall.Map, v geography.View, err error) {
	files, err := f.given()
	if err != nil {
		return nil, v, err
	}
	if files {
		in, err := f.input(env)
		if err != nil {
			return nil, v, err
		}
		down := func(id landfall.NodeID) bool { return in.Down[id] }
		return in.Map, geography.Look(in.Map, plan.Compile(in), in.Atlas, down), nil
	}
	c := running(env, dir)
	if m, err = c.Map(ctx); err == nil {
		err = c.Post(ctx, "/dns/map", struct{}{}, &v)
	}
	return m, v, asked(err)
}

// drawing is a view as it is drawn.
func drawing(m *landfall.Map, v geography.View) geomap.Drawing {
	d := geomap.Drawing{Title: v.Title + ": who is served by which edge", Note: "Areas by distance and preference; dots are clients, by all that counts"}
	serves := map[landfall.NodeID]bool{}
	for _, e := range v.Edges {
		title := string(e.Region)
		if r, ok := m.Region(e.Region); ok && r.Title != "" {
			title = r.Title
		}
		d.Edges = append(d.Edges, geomap.Edge{ID: e.ID, Region: title, Place: e.Place, Share: landfall.Share(e.First), State: e.State})
		serves[e.ID] = e.Serves
	}
	for _, c := range v.Dots {
		d.Dots = append(d.Dots, geomap.Dot{Place: c.Place, Edge: c.Edge, Weight: c.Weight})
	}
	d.Serves = nearest(m, serves)
	return d
}

// nearest tells who serves a place of which nothing else is known.
func nearest(m *landfall.Map, serves map[landfall.NodeID]bool) func(landfall.Place) (landfall.NodeID, bool) {
	ranker := steer.NewRanker(m)
	return func(p landfall.Place) (landfall.NodeID, bool) {
		order := ranker.Rank(ranker.View(steer.Client{Location: landfall.Location{Known: true, Place: p}}))
		i := slices.IndexFunc(order, func(e int) bool { return serves[ranker.Edge(e).ID] })
		if i < 0 {
			return "", false
		}
		return ranker.Edge(order[i]).ID, i > 0
	}
}

func writeDrawing(env *Env, file string, d geomap.Drawing) error {
	if file == "-" {
		return geomap.SVG(env.Stdout, d)
	}
	out, err := os.Create(env.Path(file))
	if err != nil {
		return fmt.Errorf("drawing: %w", err)
	}
	b := bufio.NewWriter(out)
	if err = geomap.SVG(b, d); err == nil {
		err = b.Flush()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("drawing %s: %w", file, err)
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: %d edges, %d places of clients\n", strings.TrimPrefix(file, "./"), len(d.Edges), len(d.Dots))
	return err
}
