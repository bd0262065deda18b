package admin

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// family is one metric with all its samples, in the terms of Prometheus'
// text exposition format.
type family struct {
	name, kind, help string
	samples          []sample
}

type sample struct {
	labels string // `{node="fra1",rcode="NOERROR"}`
	value  float64
}

// metrics collects families in the order in which they first appear.
type metrics struct {
	order  []string
	byName map[string]*family
}

// add renders the Stats of one part. A field with a metric tag becomes
// landfall_<part>_<metric>; a map's keys become the values of its label tag.
func (m *metrics) add(part string, labels []string, stats any) {
	v := reflect.Indirect(reflect.ValueOf(stats))
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name := field.Tag.Get("metric")
		if name == "" {
			continue
		}
		f := m.family("landfall_"+part+"_"+name, field.Tag.Get("help"))
		if v.Field(i).Kind() != reflect.Map {
			f.samples = append(f.samples, sample{labelText(labels), number(v.Field(i))})
			continue
		}
		label := field.Tag.Get("label")
		values := map[string]float64{}
		for it := v.Field(i).MapRange(); it.Next(); {
			values[fmt.Sprint(it.Key())] = number(it.Value())
		}
		for _, key := range slices.Sorted(maps.Keys(values)) {
			f.samples = append(f.samples, sample{labelText(append(slices.Clone(labels), label, key)), values[key]})
		}
	}
}

func (m *metrics) family(name, help string) *family {
	if f, ok := m.byName[name]; ok {
		return f
	}
	kind := "gauge"
	if strings.HasSuffix(name, "_total") {
		kind = "counter"
	}
	f := &family{name: name, kind: kind, help: help}
	if m.byName == nil {
		m.byName = map[string]*family{}
	}
	m.byName[name] = f
	m.order = append(m.order, name)
	return f
}

// writeTo writes the text exposition format, version 0.0.4.
func (m *metrics) writeTo(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, name := range m.order {
		f := m.byName[name]
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", f.name, escapeHelp(f.help), f.name, f.kind)
		for _, s := range f.samples {
			fmt.Fprintf(b, "%s%s %s\n", f.name, s.labels, strconv.FormatFloat(s.value, 'g', -1, 64))
		}
	}
	return b.Flush()
}

// labelText writes pairs of label and value.
func labelText(pairs []string) string {
	if len(pairs) == 0 {
		return ""
	}
	var parts []string
	for p := range slices.Chunk(pairs, 2) {
		parts = append(parts, p[0]+`="`+escapeLabel(p[1])+`"`)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func escapeLabel(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s)
}

func escapeHelp(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(s)
}

func number(v reflect.Value) float64 {
	switch {
	case v.CanUint():
		return float64(v.Uint())
	case v.CanInt():
		return float64(v.Int())
	case v.CanFloat():
		return v.Float()
	case v.Kind() == reflect.Bool && v.Bool():
		return 1
	case v.Kind() == reflect.Bool:
		return 0
	}
	return math.NaN()
}
