package geomap_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"landfall"
	"landfall/cmd/internal/geomap"
)

// example is a drawing of eight edges, one of which is down.
func example() geomap.Drawing {
	d := geomap.Drawing{Title: "shop: who is served by which edge", Note: "178,050 prefixes of IPv4, 33,340 of IPv6; 41,000 requests a second", Edges: []geomap.Edge{
		{ID: "fra1", Region: "Frankfurt", Place: landfall.Place{Lat: 50.11, Lon: 8.68}, Share: 0.214, State: "up"},
		{ID: "lon1", Region: "London", Place: landfall.Place{Lat: 51.5, Lon: -0.13}, Share: 0.101, State: "up"},
		{ID: "nyc1", Region: "New York", Place: landfall.Place{Lat: 40.71, Lon: -74.01}, Share: 0.207, State: "up"},
		{ID: "sjc1", Region: "San José", Place: landfall.Place{Lat: 37.34, Lon: -121.89}, Share: 0.144, State: "down"},
		{ID: "gru1", Region: "São Paulo", Place: landfall.Place{Lat: -23.55, Lon: -46.63}, Share: 0.072, State: "up"},
		{ID: "jnb1", Region: "Johannesburg", Place: landfall.Place{Lat: -26.2, Lon: 28.05}, Share: 0.031, State: "up"},
		{ID: "sin1", Region: "Singapore", Place: landfall.Place{Lat: 1.35, Lon: 103.82}, Share: 0.126, State: "up"},
		{ID: "nrt1", Region: "Tokyo", Place: landfall.Place{Lat: 35.68, Lon: 139.69}, Share: 0.105, State: "up"},
		{ID: "nrt2", Region: "Tokyo", Place: landfall.Place{Lat: 35.68, Lon: 139.69}, State: "draining"},
	}}
	d.Serves = func(p landfall.Place) (landfall.NodeID, bool) {
		best, fit := 0, 0
		near, nearFit := math.Inf(1), math.Inf(1)
		for i, e := range d.Edges {
			km := p.Distance(e.Place)
			if km < near {
				best, near = i, km
			}
			if e.State == "up" && km < nearFit {
				fit, nearFit = i, km
			}
		}
		return d.Edges[fit].ID, fit != best
	}
	for i, at := range []landfall.Place{{Lat: 48.86, Lon: 2.35}, {Lat: 55.75, Lon: 37.62}, {Lat: 19.08, Lon: 72.88}, {Lat: 39.9, Lon: 116.4}, {Lat: 34.05, Lon: -118.24}, {Lat: -33.87, Lon: 151.2}, {Lat: 6.45, Lon: 3.4}, {Lat: 19.43, Lon: -99.13}} {
		id, _ := d.Serves(at)
		d.Dots = append(d.Dots, geomap.Dot{Place: at, Edge: id, Weight: float64(9 - i)})
	}
	return d
}

func draw(t *testing.T, d geomap.Drawing) string {
	t.Helper()
	var b bytes.Buffer
	if err := geomap.SVG(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// texts are the contents of elements of a name; the whole document is parsed.
func texts(t *testing.T, doc, name string) []string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(doc))
	var out []string
	depth := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth > 0 || token.Name.Local == name {
				if depth++; depth == 1 {
					out = append(out, "")
				}
			}
		case xml.EndElement:
			depth = max(0, depth-1)
		case xml.CharData:
			if depth > 0 {
				out[len(out)-1] += string(token)
			}
		}
	}
}

func TestTheDrawingSaysAllInWords(t *testing.T) {
	doc := draw(t, example())
	if out := os.Getenv("LANDFALL_TEST_DRAWING"); out != "" {
		if err := os.WriteFile(filepath.Clean(out), []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	words := strings.Join(texts(t, doc, "text"), "\n")
	for _, want := range []string{"shop: who is served", "fra1 21.4%", "fra1 Frankfurt, 21.4%, up", "sjc1 San José, 14.4%, down", "nrt2 Tokyo, 0.0%, draining", "hatched: in place of a nearer edge"} {
		if !strings.Contains(words, want) {
			t.Errorf("no text says %q", want)
		}
	}
	if title := texts(t, doc, "title"); len(title) != 1 || title[0] != example().Title {
		t.Errorf("the title is %q", title)
	}
	if desc := texts(t, doc, "desc"); len(desc) != 1 || !strings.Contains(desc[0], "jnb1 in Johannesburg is up and serves 3.1%") {
		t.Errorf("the description is %q", desc)
	}
	if strings.Contains(doc, "NaN") || strings.Contains(doc, "Inf") {
		t.Error("a number is none")
	}
	if len(doc) > 1<<20 {
		t.Errorf("%d octets are too many for a page", len(doc))
	}
}

func TestTheSameDrawingIsTheSameDocument(t *testing.T) {
	first, second := draw(t, example()), draw(t, example())
	if first != second {
		t.Error("two documents of one drawing")
	}
}

func TestNamesCannotLeaveTheirPlaces(t *testing.T) {
	d := example()
	d.Serves = nil
	d.Title = `<script>"&'`
	d.Edges[0].Region = "</text><a>"
	doc := draw(t, d)
	if title := texts(t, doc, "title"); title[0] != d.Title {
		t.Errorf("the title is %q", title)
	}
	if strings.Contains(doc, "<script>") || strings.Contains(doc, "<a>") {
		t.Error("a name is markup")
	}
}

func TestLittleIsDrawnOfLittle(t *testing.T) {
	for name, d := range map[string]geomap.Drawing{
		"nothing":      {Title: "n"},
		"nobody":       {Title: "n", Serves: func(landfall.Place) (landfall.NodeID, bool) { return "", false }},
		"a stranger":   {Title: "n", Serves: func(landfall.Place) (landfall.NodeID, bool) { return "x", false }, Dots: []geomap.Dot{{Edge: "x", Weight: 1}}},
		"no such spot": {Title: "n", Edges: []geomap.Edge{{ID: "x", Place: landfall.Place{Lat: 91}}}, Dots: []geomap.Dot{{Place: landfall.Place{Lon: 999}, Weight: 1}, {Weight: -1}}},
	} {
		if doc := draw(t, d); len(texts(t, doc, "svg")) != 1 || strings.Contains(doc, "NaN") {
			t.Errorf("%s: no document", name)
		}
	}
}

func TestManyEdgesAndDotsStayReadable(t *testing.T) {
	d := geomap.Drawing{Title: "many"}
	for i := range 40 {
		e := geomap.Edge{ID: landfall.NodeID(fmt.Sprintf("e%d", i)), Place: landfall.Place{Lat: float64(i), Lon: float64(9 * (i - 20))}, State: "up"}
		d.Edges = append(d.Edges, e)
		for j := range 200 {
			d.Dots = append(d.Dots, geomap.Dot{Place: e.Place, Edge: e.ID, Weight: float64(j)})
		}
	}
	doc := draw(t, d)
	if n := strings.Count(doc, "<circle"); n != 2000+2*40 {
		t.Errorf("%d circles", n)
	}
	if words := strings.Join(texts(t, doc, "text"), "\n"); !strings.Contains(words, "e39 0.0%") {
		t.Error("the last edge has no name")
	}
}

// broken takes a few octets.
type broken struct{ left int }

var errBroken = errors.New("broken")

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestAWriterThatFailsIsToldOf(t *testing.T) {
	d := example()
	d.Serves = nil
	for _, left := range []int{0, 5000, 40_000} {
		if err := geomap.SVG(&broken{left}, d); !errors.Is(err, errBroken) {
			t.Errorf("%d octets written: %v", left, err)
		}
	}
}
