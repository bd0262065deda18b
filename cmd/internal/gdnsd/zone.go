package gdnsd

import (
	"path"
	"strconv"
	"strings"
	"time"
)

// zone is a zone as gdnsd serves it.
type zone struct {
	name    string // lower case, no final dot
	file    string
	records []record
}

// record is a record of a zone.
type record struct {
	at     place
	name   string        // lower case, no final dot
	ttl    time.Duration // of DYNA and DYNC the longest
	least  time.Duration // DYNA and DYNC: the shortest; 0 if none is given
	rrtype string        // upper case
	data   []string      // in master file form, names in full
}

// text is the record's data in master file form.
func (r record) text() string { return strings.Join(r.data, " ") }

// ttls are what gdnsd.config(5) says of TTLs.
type ttls struct{ usual, least, most time.Duration }

// zoneReader reads a zone file or one that it includes.
type zoneReader struct {
	f    *files
	zone *zone
	ttls ttls

	ttl    time.Duration // $TTL
	origin string        // $ORIGIN, without its final dot
	first  string        // the origin that the file began with: @F
	owner  string        // of the record before
}

// parseZone reads the zone of a name from a file.
func (f *files) parseZone(name, file string, t ttls) *zone {
	z := &zone{name: name, file: file}
	r := &zoneReader{f: f, zone: z, ttls: t, ttl: t.usual, origin: name}
	r.file(place{file, 1, 1}, file)
	return z
}

func (r *zoneReader) file(at place, name string) {
	r.first, r.owner = r.origin, r.origin
	r.f.text(at, name, func(text string) {
		l := &lines{cursor: newCursor(name, text), f: r.f}
		for {
			line, ok := l.next()
			if !ok {
				return
			}
			if w := line.words[0]; line.owned && !w.quoted && strings.HasPrefix(w.text, "$") {
				r.directive(line)
			} else {
				r.record(line)
			}
		}
	})
}

// directive is $TTL, $ORIGIN or $INCLUDE.
func (r *zoneReader) directive(l line) {
	name, args := strings.ToUpper(l.words[0].text), l.words[1:]
	switch {
	case name == "$TTL" && len(args) == 1:
		if ttl, ok := parseTTL(args[0].text); ok {
			r.ttl = ttl
			return
		}
	case name == "$ORIGIN" && len(args) == 1:
		r.origin = r.originOf(args[0])
		return
	case name == "$INCLUDE" && (len(args) == 1 || len(args) == 2):
		r.include(l.words[0].at, args)
		return
	}
	r.f.fault(l.at, "write $TTL TTL, $ORIGIN NAME or $INCLUDE FILE [NAME]", "%s cannot be read", name)
}

// originOf is the name that other names are relative to from here on.
func (r *zoneReader) originOf(w word) string {
	name, ok := r.full(w)
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if ok && !within(name, r.zone.name) {
		r.f.fault(w.at, "name one in the zone "+r.zone.name, "origin %s is outside the zone", name)
		ok = false
	}
	if !ok {
		return r.origin
	}
	return name
}

// include reads another file; what it sets ends with it.
func (r *zoneReader) include(at place, args []word) {
	inner := *r
	if len(args) == 2 {
		inner.origin = r.originOf(args[1])
	}
	name := unescape(args[0].text)
	if !path.IsAbs(name) {
		name = path.Join(path.Dir(at.file), name)
	}
	inner.file(at, name)
}

// record is [NAME] [TTL] [IN] TYPE DATA.
func (r *zoneReader) record(l line) {
	words, owner, good := l.words, r.owner, true
	if l.owned {
		if owner, good = r.full(words[0]); good {
			owner = strings.TrimSuffix(strings.ToLower(owner), ".")
			r.owner = owner
		}
		words = words[1:]
	}
	rec := record{at: l.at, name: owner, ttl: r.ttl}
	words = r.ttlAndClass(&rec, words)
	if len(words) == 0 {
		r.f.fault(l.at, "write NAME [TTL] TYPE DATA", "the record has no type")
		return
	}
	rec.at, rec.rrtype = l.words[0].at, strings.ToUpper(words[0].text)
	if rec.least != 0 && rec.rrtype != "DYNA" && rec.rrtype != "DYNC" {
		r.f.fault(words[0].at, "write one TTL", "a TTL of two parts is for DYNA and DYNC")
		return
	}
	if !r.data(&rec, words[0].at, words[1:]) || !good {
		return
	}
	if !within(owner, r.zone.name) {
		r.f.note(rec.at, "addresses of name servers elsewhere belong into their zones", "%s is outside the zone: left out", owner)
		return
	}
	rec.ttl = min(max(rec.ttl, r.ttls.least), r.ttls.most)
	r.zone.records = append(r.zone.records, rec)
}

// ttlAndClass takes the TTL and the class, which come in any order, or not.
func (r *zoneReader) ttlAndClass(rec *record, words []word) []word {
	for range 2 {
		if len(words) == 0 || words[0].quoted {
			break
		}
		if strings.EqualFold(words[0].text, "IN") {
			words = words[1:]
		} else if ttl, least, ok := parseTTLs(words[0]); ok {
			rec.ttl, rec.least = ttl, least
			words = words[1:]
		}
	}
	return words
}

// parseTTLs reads MAX/MIN, or one TTL.
func parseTTLs(w word) (most, least time.Duration, ok bool) {
	text, second, both := strings.Cut(w.text, "/")
	most, ok = parseTTL(text)
	if both && ok {
		least, ok = parseTTL(second)
		least = max(least, time.Second)
	}
	return most, least, ok
}

// parseTTL reads seconds, or a number of M, H, D or W.
func parseTTL(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	unit := time.Second
	switch text[len(text)-1] | 0x20 {
	case 'm':
		unit = time.Minute
	case 'h':
		unit = time.Hour
	case 'd':
		unit = 24 * time.Hour
	case 'w':
		unit = 7 * 24 * time.Hour
	}
	if unit != time.Second {
		text = text[:len(text)-1]
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n*uint64(unit/time.Second) > 1<<31-1 {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// full is a name in full, with its final dot.
func (r *zoneReader) full(w word) (name string, ok bool) {
	name = w.text
	switch {
	case name == "":
		r.f.fault(w.at, "write @ for the origin", "a name is empty")
		return "", false
	case name == "@":
		return r.origin + ".", true
	case strings.HasSuffix(name, ".") && !escaped(name, len(name)-1):
		return escapeName(name), true
	}
	from := len(name)
	for from > 0 && (name[from-1] != '.' || escaped(name, from-1)) {
		from--
	}
	switch last := strings.ToUpper(name[from:]); {
	case last == "@Z":
		return escapeName(name[:from]) + r.zone.name + ".", true
	case last == "@F":
		return escapeName(name[:from]) + r.first + ".", true
	case len(last) == 2 && last[0] == '@':
		r.f.fault(w.at, "@Z is the zone, @F the origin of the file", "%q is not a name", last)
		return "", false
	}
	return escapeName(name) + "." + r.origin + ".", true
}

// escaped reports whether the byte at i is: an odd number of backslashes is
// before it.
func escaped(s string, i int) bool {
	n := 0
	for i > n && s[i-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// within reports whether name is the zone or lies below it.
func within(name, zone string) bool {
	return name == zone || strings.HasSuffix(name, "."+zone)
}
