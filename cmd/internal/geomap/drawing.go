package geomap

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"

	"landfall"
)

// Drawing is what is to be drawn.
type Drawing struct {
	Title string // such as "shop: who is served by which edge"
	Note  string // a line below it; may be empty

	// Edges are drawn where they stand, and listed in this order.
	Edges []Edge
	// Serves tells who serves the clients at a place, and whether that is a
	// substitute for an edge that would be nearer but does not serve. An edge
	// that is not in Edges, or empty, serves nobody. nil colours no areas.
	Serves func(landfall.Place) (edge landfall.NodeID, substitute bool)
	// Dots are clients. Of very many the heaviest are drawn.
	Dots []Dot
}

// Edge is one edge.
type Edge struct {
	ID     landfall.NodeID
	Region string // for people
	Place  landfall.Place
	Share  landfall.Share // of all clients whom it serves first
	State  string         // "up", "down" or "draining"
}

// Dot is where clients are, and who serves them.
type Dot struct {
	Place  landfall.Place
	Edge   landfall.NodeID
	Weight float64 // in any unit; the area of the dot
}

// maxDots is how many dots are drawn.
const maxDots = 2000

// The layout, in units of the drawing.
const (
	width     = 1200
	margin    = 28
	header    = 78
	rowHeight = 24
	column    = 286
	columns   = 4
	below     = 40 // from the map to the legend
)

// SVG writes the drawing as an SVG 1.1 document.
func SVG(w io.Writer, d Drawing) error {
	land, err := coasts(coastText)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	p := &painter{
		Drawing: d,
		out:     b,
		sheet:   sheet{left: margin, top: header, width: width - 2*margin, south: -57},
		color:   map[landfall.NodeID]int{},
	}
	for i, e := range d.Edges {
		p.color[e.ID] = i
	}
	p.begin()
	p.world(land)
	p.dots()
	p.edges()
	p.legend()
	p.put("</svg>\n")
	if p.err != nil {
		return p.err
	}
	return b.Flush()
}

// painter writes a drawing, and remembers the first error.
type painter struct {
	Drawing
	out   io.Writer
	sheet sheet
	color map[landfall.NodeID]int // by edge
	err   error
}

func (p *painter) put(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format, args...)
	}
}

// bottom is where the map ends.
func (p *painter) bottom() float64 { return p.sheet.top + p.sheet.height() }

// height is that of the whole drawing.
func (p *painter) height() float64 {
	return p.bottom() + below + float64(p.rows()*rowHeight) + margin
}

// palette are colours that differ for every kind of colour vision, the first
// ones most (after Okabe and Ito, and Tol's muted scheme). With more edges
// than colours they are used again.
func palette(i int) string {
	colors := []string{
		"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00",
		"#f0e442", "#332288", "#999933", "#882255", "#44aa99", "#7f7f7f",
	}
	return colors[i%len(colors)]
}

// heaviest are the dots to draw, the heaviest first: lighter ones lie on top.
func (p *painter) heaviest() []Dot {
	dots := slices.DeleteFunc(slices.Clone(p.Dots), func(d Dot) bool { return !(d.Weight > 0) || !d.Place.Valid() })
	slices.SortStableFunc(dots, func(a, b Dot) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Place.Lat, b.Place.Lat), cmp.Compare(a.Place.Lon, b.Place.Lon), cmp.Compare(a.Edge, b.Edge))
	})
	return dots[:min(len(dots), maxDots)]
}
