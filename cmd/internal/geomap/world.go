package geomap

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"landfall"
)

// begin opens the document: what it is called, its styles, and what is used
// again.
func (p *painter) begin() {
	h := p.height()
	p.put(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" role="img" aria-labelledby="title desc" font-family="system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif" fill="#22303a">`+"\n", width, h, width, h)
	p.put("<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n", escape(p.Title), escape(p.describe()))
	p.put(`<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V7" stroke="#fff" stroke-width="4.4"/></pattern></defs>` + "\n")
	p.put(`<rect width="%d" height="%.0f" fill="#fff"/>`+"\n", width, h)
	p.put(`<text x="%d" y="40" font-size="22" font-weight="600">%s</text>`+"\n", margin, escape(p.Title))
	if p.Note != "" {
		p.put(`<text x="%d" y="62" font-size="13" fill="#5b6b76">%s</text>`+"\n", margin, escape(p.Note))
	}
}

// describe tells the drawing in words.
func (p *painter) describe() string {
	var b strings.Builder
	b.WriteString("A map of the world with the area that each edge serves.")
	for _, e := range p.Edges {
		fmt.Fprintf(&b, " %s in %s is %s and serves %s of the clients first.", e.ID, e.Region, e.State, percent(e.Share))
	}
	return b.String()
}

// world draws the sea, the land, and who serves where: strong on land, faint
// at sea.
func (p *painter) world(land [][]landfall.Place) {
	p.put(`<defs><path id="coast" d="%s"/><path id="outline" d="%s"/>`+"\n", p.lines(land), p.outline())
	if p.Serves != nil {
		p.areaShapes()
	}
	p.put(`</defs><clipPath id="land"><use href="#coast"/></clipPath><clipPath id="globe"><use href="#outline"/></clipPath>` + "\n")
	p.put(`<g clip-path="url(#globe)"><use href="#outline" fill="#eef3f6"/><use href="#coast" fill="#dfe3e4"/>` + "\n")
	if p.Serves != nil {
		p.put(`<use href="#areas" opacity="0.2"/><g clip-path="url(#land)"><use href="#areas" opacity="0.74"/></g>` + "\n")
	}
	p.put(`<path d="%s" fill="none" stroke="#fff" stroke-opacity="0.55" stroke-width="0.6"/>`+"\n", p.graticule())
	p.put(`<use href="#coast" fill="none" stroke="#3d4d57" stroke-opacity="0.55" stroke-width="0.6" stroke-linejoin="round"/></g>` + "\n")
	p.put(`<use href="#outline" fill="none" stroke="#b9c6ce"/>` + "\n")
}

// areaShapes writes the areas, those of substitutes hatched.
func (p *painter) areaShapes() {
	areas := p.areas()
	p.put(`<g id="areas">` + "\n")
	for i := range p.Edges {
		for _, substitute := range []bool{false, true} {
			path := areas[area{i, substitute}]
			if path == "" {
				continue
			}
			p.put(`<path d="%s" fill="%s"/>`+"\n", path, palette(i))
			if substitute {
				p.put(`<path d="%s" fill="url(#hatch)" opacity="0.55"/>`+"\n", path)
			}
		}
	}
	p.put("</g>\n")
}

// lines is a path of closed lines.
func (p *painter) lines(rings [][]landfall.Place) string {
	var b strings.Builder
	for _, ring := range rings {
		p.line(&b, ring)
		b.WriteByte('Z')
	}
	return b.String()
}

// line appends an open line to a path.
func (p *painter) line(b *strings.Builder, places []landfall.Place) {
	for i, at := range places {
		x, y := p.sheet.at(at)
		fmt.Fprintf(b, "%c%.1f %.1f", "ML"[min(i, 1)], x, y)
	}
}

// outline is the border of the world.
func (p *painter) outline() string {
	var ring []landfall.Place
	for lat := p.sheet.south; lat < 90; lat += 3 {
		ring = append(ring, landfall.Place{Lat: lat, Lon: 180})
	}
	ring = append(ring, landfall.Place{Lat: 90, Lon: 180})
	west := slices.Clone(ring)
	slices.Reverse(west)
	for _, at := range west {
		at.Lon = -180
		ring = append(ring, at)
	}
	return p.lines([][]landfall.Place{ring})
}

// graticule is a line each 30 degrees.
func (p *painter) graticule() string {
	var b strings.Builder
	for lon := -150.0; lon <= 150; lon += 30 {
		var line []landfall.Place
		for lat := p.sheet.south; lat <= 90; lat += 7 {
			line = append(line, landfall.Place{Lat: lat, Lon: lon})
		}
		p.line(&b, line)
	}
	for lat := -30.0; lat <= 60; lat += 30 {
		p.line(&b, []landfall.Place{{Lat: lat, Lon: -180}, {Lat: lat, Lon: 180}})
	}
	return b.String()
}

func percent(s landfall.Share) string { return fmt.Sprintf("%.1f%%", 100*float64(s)) }

// escape makes text fit for XML.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}
