package measure

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"time"

	"landfall"
	"landfall/geodns/keep"
)

// A file begins with its version and ends with the CRC-32 of all before. In
// between, numbers are unsigned varints of encoding/binary; tables are their
// length and their rows.
const (
	version = "landfall round trips 2\n"
	maxFile = 1 << 29
)

// Save keeps what is known in a file, at once or not at all.
func (b *Book) Save(dir *os.Root, name string) error {
	b.mu.Lock()
	state := b.encode()
	b.mu.Unlock()
	return keep.Write(dir, name, func(w io.Writer) error {
		_, err := w.Write(state)
		return err
	})
}

// Load forgets what is known and learns what Save kept. After an error the
// Book is as it was; the error is fs.ErrNotExist if there is no such file.
func (b *Book) Load(dir *os.Root, name string) error {
	f, err := dir.Open(name)
	if err != nil {
		return fmt.Errorf("round trips: %w", err)
	}
	defer f.Close()
	state, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fmt.Errorf("round trips: read %s: %w", name, err)
	}
	if err := b.decode(state); err != nil {
		return fmt.Errorf("round trips: %s is damaged, remove it: %w", name, err)
	}
	return nil
}

func (b *Book) encode() []byte {
	w := &writer{[]byte(version)}
	w.numbers(uint64(b.cfg.Epoch), b.frozen, uint64(len(b.edges)))
	for _, e := range b.edges {
		w.numbers(uint64(len(e.id)))
		w.b = append(w.b, e.id...)
	}
	w.numbers(uint64(len(b.sites)))
	for _, s := range b.sites {
		w.floats(s.place.Lat, s.place.Lon)
		w.floats(s.may[:]...)
	}
	w.numbers(uint64(len(b.entries)))
	for k, e := range b.entries {
		w.entry(k, e)
	}
	return binary.BigEndian.AppendUint32(w.b, crc32.ChecksumIEEE(w.b))
}

type writer struct{ b []byte }

func (w *writer) numbers(n ...uint64) {
	for _, x := range n {
		w.b = binary.AppendUvarint(w.b, x)
	}
}

func (w *writer) floats(f ...float64) {
	for _, x := range f {
		w.b = binary.BigEndian.AppendUint64(w.b, math.Float64bits(x))
	}
}

func (w *writer) entry(k key, e *entry) {
	w.numbers(uint64(k), uint64(e.live), uint64(e.rival), uint64(e.streak), uint64(e.trial), uint64(e.tried))
	for _, g := range e.guests {
		w.numbers(uint64(g))
	}
	w.numbers(uint64(len(e.order)))
	for _, edge := range e.order {
		w.numbers(uint64(edge))
	}
	w.numbers(uint64(len(e.cells)))
	for i := range e.cells {
		w.cell(&e.cells[i])
	}
}

func (w *writer) cell(c *cell) {
	w.numbers(uint64(c.edge), uint64(c.filled), uint64(c.next), uint64(c.epoch), uint64(c.seen), uint64(c.windows), uint64(c.last), uint64(c.rumour), uint64(c.tried))
	for _, x := range c.past[:c.filled] {
		w.numbers(uint64(x))
	}
	w.numbers(uint64(c.low[0]), uint64(c.low[1]))
	w.floats(float64(c.count))
}

// reader takes a file apart. After the first fault it gives zeros.
type reader struct {
	b            []byte
	err          error
	edges, sites uint64 // how many there are
	now, epoch   uint64 // nothing was later
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%d bytes before the end: %s", len(r.b), fmt.Sprintf(format, args...))
	}
}

// number is the next one, at most most.
func (r *reader) number(most uint64) uint64 {
	x, n := binary.Uvarint(r.b)
	if r.err != nil {
		return 0
	}
	if n <= 0 || x > most {
		r.fail("a number that is not there or above %d", most)
		return 0
	}
	r.b = r.b[n:]
	return x
}

// length is that of a table whose rows take at least least bytes.
func (r *reader) length(least int) int { return int(r.number(uint64(len(r.b) / least))) }

// index points into a table.
func (r *reader) index(of uint64) uint16 {
	if of == 0 {
		r.fail("a row of an empty table")
		return 0
	}
	return uint16(r.number(of - 1))
}

func (r *reader) number32() uint32 { return uint32(r.number(math.MaxUint32)) }

// moment is a time, and turn the number of an epoch, of which the future is
// now: the clock may have been set back.
func (r *reader) moment() uint32 { return uint32(min(uint64(r.number32()), r.now)) }
func (r *reader) turn() uint32   { return uint32(min(uint64(r.number32()), r.epoch)) }

func (r *reader) float(most float64) float64 {
	if len(r.b) < 8 {
		r.fail("it ends early")
	}
	if r.err != nil {
		return 0
	}
	x := math.Float64frombits(binary.BigEndian.Uint64(r.b))
	if r.b = r.b[8:]; !(math.Abs(x) <= most) {
		r.fail("%v is beyond %v", x, most)
	}
	return x
}

func (b *Book) decode(file []byte) error {
	body, ok := bytes.CutPrefix(file, []byte(version))
	if !ok {
		return errors.New("it is not a file of this version")
	}
	end := len(file) - 4
	if len(body) < 4 || len(file) > maxFile || crc32.ChecksumIEEE(file[:end]) != binary.BigEndian.Uint32(file[end:]) {
		return errors.New("its checksum is wrong")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.cfg.Now()
	r := &reader{b: body[:len(body)-4], now: uint64(seconds32(now)), epoch: b.epoch(now)}
	next := &Book{cfg: b.cfg, byID: map[landfall.NodeID]uint16{}, entries: map[key]*entry{}}
	next.read(r)
	if r.err == nil && len(r.b) > 0 {
		r.fail("more than was to come")
	}
	if r.err != nil {
		return r.err
	}
	b.edges, b.sites, b.byID, b.entries, b.frozen = next.edges, next.sites, next.byID, next.entries, next.frozen
	if b.m != nil {
		b.setMap(b.m)
	}
	return nil
}

func (b *Book) read(r *reader) {
	if d := time.Duration(r.number(math.MaxInt64)); d != b.cfg.Epoch {
		r.fail("its epochs last %v, now %v", d, b.cfg.Epoch)
	}
	b.frozen = r.number(math.MaxUint32)
	for range r.length(1) {
		id := landfall.NodeID(r.text())
		if _, twice := b.byID[id]; twice || len(b.edges) > math.MaxUint16-2 {
			r.fail("edge %q twice, or one too many", id)
			return
		}
		b.edge(id)
	}
	for range min(r.length(16+8*measures), math.MaxUint16-2) {
		s := site{place: landfall.Place{Lat: r.float(90), Lon: r.float(180)}}
		for m := range s.may {
			s.may[m] = r.float(1)
		}
		b.sites = append(b.sites, s)
	}
	r.edges, r.sites = uint64(len(b.edges)), uint64(len(b.sites))
	for range r.length(9) {
		k := key(r.number(uint64(isV6<<1 - 1)))
		if k != keyOf(k.prefix()) {
			r.fail("a prefix that is none")
		}
		if e := r.entry(); r.err != nil {
			return
		} else if len(b.entries) < b.cfg.Prefixes {
			b.entries[k] = e
		}
	}
}

func (r *reader) text() string {
	n := r.length(1)
	if n > len(r.b) { // the length itself was among the bytes
		r.fail("it ends within a name")
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) entry() *entry {
	e := &entry{live: r.moment(), rival: uint16(r.number(r.sites)), streak: uint8(r.number(patience))}
	e.trial, e.tried = uint16(r.number(r.edges)), r.turn()
	for i := range e.guests {
		e.guests[i] = uint16(r.number(r.sites))
	}
	for range r.length(1) {
		e.order = append(e.order, r.index(r.edges))
	}
	for range r.length(20) {
		e.cells = append(e.cells, r.cell())
	}
	return e
}

func (r *reader) cell() (c cell) {
	c.edge, c.filled, c.next = r.index(r.edges), uint8(r.number(history)), uint8(r.number(history-1))
	c.epoch, c.seen, c.windows = r.turn(), uint16(r.number(math.MaxUint16)), uint16(r.number(math.MaxUint16))
	c.last, c.rumour, c.tried = r.moment(), r.number32(), r.turn()
	for i := range c.filled {
		c.past[i] = r.number32()
	}
	c.low = [2]uint32{r.number32(), r.number32()}
	c.count = float32(r.float(math.MaxFloat32))
	return c
}
