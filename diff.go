package landfall

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Change is one difference between two maps.
type Change struct {
	What string // what changed: "node nyc1", "service chat.example.com", "steering"
	From string // what it was; empty if it is new
	To   string // what it is now; empty if it is no more
}

// String is the line that people read.
func (c Change) String() string {
	switch {
	case c.From == "":
		return "+ " + c.What + ": " + c.To
	case c.To == "":
		return "- " + c.What + ": " + c.From
	}
	return "~ " + c.What + ": " + c.From + " -> " + c.To
}

// Diff tells what changed from old to new, in a stable order. Serial and
// Issued change with every map and are left out. A nil old is an empty one.
func Diff(old, new *Map) []Change {
	if old == nil {
		old = &Map{}
	}
	var out []Change
	out = append(out, one("name", old.Network, new.Network)...)
	out = append(out, one("domain", old.Domain, new.Domain)...)
	out = append(out, each("region", old.Regions, new.Regions, func(r Region) string { return string(r.ID) })...)
	out = append(out, each("node", old.Nodes, new.Nodes, func(n Node) string { return string(n.ID) })...)
	out = append(out, each("service", old.Services, new.Services, func(s Service) string { return s.Host })...)
	out = append(out, each("record", old.Records, new.Records, Record.key)...)
	out = append(out, zones(old.Zones, new.Zones)...)
	out = append(out, each("override", old.Overrides, new.Overrides, Override.Of)...)
	out = append(out, each("preference", old.Preferences, new.Preferences, Preference.For)...)
	out = append(out, each("secondary", old.Secondaries, new.Secondaries, Secondary.Who)...)
	out = append(out, fields("steering", old.Steering, new.Steering)...)
	out = append(out, fields("health", old.Health, new.Health)...)
	out = append(out, fields("dns", old.DNS, new.DNS)...)
	out = append(out, fields("acme", old.ACME, new.ACME)...)
	out = append(out, fields("ports", old.Ports, new.Ports)...)
	out = append(out, fields("authority", longText{old.Authority}, longText{new.Authority})...)
	return out
}

func one(what, from, to string) []Change {
	if from == to {
		return nil
	}
	return []Change{{what, from, to}}
}

// each compares two lists whose elements are known by a key.
func each[T any](kind string, old, new []T, key func(T) string) []Change {
	before := map[string]T{}
	for _, o := range old {
		before[key(o)] = o
	}
	var out []Change
	after := map[string]bool{}
	for _, n := range new {
		what := kind + " " + key(n)
		after[key(n)] = true
		if o, ok := before[key(n)]; ok {
			out = append(out, fields(what, o, n)...)
		} else {
			out = append(out, Change{what, "", summary(n)})
		}
	}
	for _, o := range old {
		if !after[key(o)] {
			out = append(out, Change{kind + " " + key(o), summary(o), ""})
		}
	}
	slices.SortStableFunc(out, func(a, b Change) int { return cmp.Compare(a.What, b.What) })
	return out
}

// zones compares zones: those in both record by record.
func zones(old, new []Zone) (out []Change) {
	type zone struct {
		Name    string
		Records int
	}
	before := map[string][]Record{}
	var were, are []zone
	for _, o := range old {
		before[o.Name] = o.Records
		were = append(were, zone{o.Name, len(o.Records)})
	}
	for _, n := range new {
		size := len(n.Records)
		if records, ok := before[n.Name]; ok {
			out = append(out, each("zone "+n.Name+": record", records, n.Records, Record.key)...)
			size = len(records) // or it would be told once more
		}
		are = append(are, zone{n.Name, size})
	}
	return append(each("zone", were, are, func(z zone) string { return z.Name }), out...)
}

// fields compares two values of one struct type field by field.
func fields[T any](what string, old, new T) []Change {
	var out []Change
	o, n := reflect.ValueOf(old), reflect.ValueOf(new)
	for i := range o.NumField() {
		if reflect.DeepEqual(o.Field(i).Interface(), n.Field(i).Interface()) {
			continue
		}
		name := strings.ToLower(o.Type().Field(i).Name)
		out = append(out, Change{what + " " + name, show(o.Field(i)), show(n.Field(i))})
	}
	return out
}

// summary is a struct's fields in one line, those with their zero value left out.
func summary[T any](v T) string {
	r := reflect.ValueOf(v)
	var parts []string
	for i := range r.NumField() {
		if !r.Field(i).IsZero() {
			parts = append(parts, strings.ToLower(r.Type().Field(i).Name)+" "+show(r.Field(i)))
		}
	}
	return strings.Join(parts, ", ")
}

// longText is one that is too long to be shown.
type longText struct{ Certificate string }

func show(v reflect.Value) string {
	if v.IsZero() {
		return "(none)"
	}
	if k, ok := v.Interface().(SealingKey); ok {
		return fmt.Sprintf("%x…", k.X25519[:4])
	}
	text := fmt.Sprint(v.Interface())
	if lines := strings.Count(text, "\n"); lines > 0 {
		return fmt.Sprintf("%d lines, SHA-256 %.4x…", lines, sha256.Sum256([]byte(text)))
	}
	return text
}
