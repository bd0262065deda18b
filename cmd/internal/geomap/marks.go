package geomap

import (
	"math"
	"slices"
)

// dots draws clients: the area of a dot is their weight.
func (p *painter) dots() {
	dots := p.heaviest()
	if len(dots) == 0 {
		return
	}
	p.put(`<g stroke="#fff" stroke-width="0.9" fill-opacity="0.95">` + "\n")
	for _, d := range dots {
		x, y := p.sheet.at(d.Place)
		color := "#7f7f7f"
		if i, ok := p.color[d.Edge]; ok {
			color = palette(i)
		}
		p.put(`<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`+"\n", x, y, 1+8*math.Sqrt(d.Weight/dots[0].Weight), color)
	}
	p.put("</g>\n")
}

// box is a rectangle that is taken.
type box struct{ left, top, right, bottom float64 }

func (b box) overlaps(c box) bool {
	return b.left < c.right && c.left < b.right && b.top < c.bottom && c.top < b.bottom
}

// site is a place with edges.
type site struct {
	x, y  float64
	edges []int
}

// sites gathers the edges that stand at one point of the paper.
func (p *painter) sites() []site {
	var out []site
	for i, e := range p.Edges {
		if !e.Place.Valid() {
			continue
		}
		x, y := p.sheet.at(e.Place)
		at := slices.IndexFunc(out, func(s site) bool { return math.Hypot(s.x-x, s.y-y) < 3 })
		if at < 0 {
			out = append(out, site{x: x, y: y})
			at = len(out) - 1
		}
		out[at].edges = append(out[at].edges, i)
	}
	return out
}

// edges draws where edges stand, with their names and shares beside them.
func (p *painter) edges() {
	sites := p.sites()
	var taken []box
	for _, s := range sites {
		taken = append(taken, box{s.x - 8, s.y - 8, s.x + 8, s.y + 8})
	}
	p.put(`<g font-size="12.5" font-weight="600">` + "\n")
	for _, s := range sites {
		for i, e := range s.edges {
			p.mark(s.x+float64(5*i), s.y, e)
		}
		names := make([]string, 0, len(s.edges))
		for _, e := range s.edges {
			names = append(names, string(p.Edges[e].ID)+" "+percent(p.Edges[e].Share))
		}
		at := free(s, names, taken)
		taken = append(taken, at)
		for i, name := range names {
			p.put(`<text x="%.1f" y="%.1f" stroke="#fff" stroke-width="3.4" stroke-opacity="0.92" stroke-linejoin="round" paint-order="stroke">%s</text>`+"\n",
				at.left, at.top+12+lineHeight*float64(i), escape(name))
		}
	}
	p.put("</g>\n")
}

// mark draws one edge: a point in its colour, or a cross through an empty one
// if it is not up.
func (p *painter) mark(x, y float64, e int) {
	fill := palette(e)
	if p.Edges[e].State != "up" {
		fill = "#fff"
	}
	p.put(`<circle cx="%.1f" cy="%.1f" r="6.2" fill="%s" stroke="#fff" stroke-width="5"/><circle cx="%.1f" cy="%.1f" r="6.2" fill="%s" stroke="#22303a" stroke-width="1.8"/>`, x, y, fill, x, y, fill)
	if p.Edges[e].State != "up" {
		p.put(`<path d="M%.1f %.1fl8 8m0 -8l-8 8" stroke="#22303a" stroke-width="1.8"/>`, x-4, y-4)
	}
	p.put("\n")
}

const lineHeight = 15.0

// free is a place beside a site for lines of text: the first of those around
// it that overlap nothing, else the first.
func free(s site, lines []string, taken []box) box {
	w, h := 0.0, lineHeight*float64(len(lines))
	for _, l := range lines {
		w = max(w, 7.4*float64(len([]rune(l))))
	}
	right := 5 * float64(len(s.edges)-1)
	var first box
	for i, corner := range [][2]float64{
		{s.x + right + 11, s.y - h/2}, {s.x - 11 - w, s.y - h/2}, {s.x - w/2, s.y - 10 - h}, {s.x - w/2, s.y + 10},
		{s.x + right + 7, s.y - 6 - h}, {s.x + right + 7, s.y + 6}, {s.x - 7 - w, s.y - 6 - h}, {s.x - 7 - w, s.y + 6},
		{s.x - w/2, s.y - 26 - h}, {s.x - w/2, s.y + 26},
	} {
		b := box{corner[0], corner[1], corner[0] + w, corner[1] + h}
		if i == 0 {
			first = b
		}
		inside := b.left > 2 && b.right < width-2
		if inside && !slices.ContainsFunc(taken, b.overlaps) {
			return b
		}
	}
	return first
}

// rows are those of the legend.
func (p *painter) rows() int {
	entries := len(p.Edges)
	if p.Serves != nil {
		entries++
	}
	return (entries + columns - 1) / columns
}

// legend lists the edges in columns.
func (p *painter) legend() {
	p.put(`<g font-size="13">` + "\n")
	rows := max(p.rows(), 1)
	spot := func(i int) (x, y float64) {
		return margin + float64(i/rows*column), p.bottom() + below + float64(i%rows*rowHeight)
	}
	for i, e := range p.Edges {
		x, y := spot(i)
		p.put(`<rect x="%.1f" y="%.1f" width="15" height="15" rx="3" fill="%s"/>`, x, y-12, palette(i))
		p.put(`<text x="%.1f" y="%.1f"><tspan font-weight="600">%s</tspan> %s, %s, %s</text>`+"\n", x+23, y, escape(string(e.ID)), escape(e.Region), percent(e.Share), escape(e.State))
	}
	if p.Serves != nil {
		x, y := spot(len(p.Edges))
		p.put(`<rect x="%.1f" y="%.1f" width="15" height="15" rx="3" fill="#7f7f7f"/><rect x="%.1f" y="%.1f" width="15" height="15" rx="3" fill="url(#hatch)" opacity="0.55"/>`, x, y-12, x, y-12)
		p.put(`<text x="%.1f" y="%.1f">hatched: in place of a nearer edge</text>`+"\n", x+23, y)
	}
	p.put("</g>\n")
}
