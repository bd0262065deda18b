package resolver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"landfall"
	"landfall/geodns/keep"
)

// A file has a line that says what it is and of when, a line for each cell and
// a line that says how many these were:
//
//	landfall-resolvers 1 2026-01-02T15:04:05Z
//	192.0.2.53 198.51.100.0/24 fra1 3.25
//	end 1
const (
	magic   = "landfall-resolvers 1 "
	trailer = "end "
)

// heaviest is what one cell may count.
const heaviest = 1e12

// Save keeps what is known in a file, at once or not at all.
func (b *Book) Save(dir *os.Root, name string, now time.Time) error {
	b.mu.Lock()
	known := make(map[netip.Addr]picture, len(b.known))
	for a, p := range b.known {
		known[a] = picture{slices.Clone(p.cells), p.total}
	}
	b.mu.Unlock()
	return keep.Write(dir, name, func(w io.Writer) error { return write(w, known, now) })
}

func write(w io.Writer, known map[netip.Addr]picture, now time.Time) error {
	addrs := make([]netip.Addr, 0, len(known))
	for a := range known {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s%s\n", magic, now.UTC().Format(time.RFC3339))
	cells := 0
	for _, a := range addrs {
		for _, c := range known[a].cells {
			fmt.Fprintf(b, "%s %s %s %s\n", a, c.client, c.edge, strconv.FormatFloat(c.weight, 'g', 8, 64))
			cells++
		}
	}
	fmt.Fprintf(b, "%s%d\n", trailer, cells)
	return b.Flush()
}

// Load learns what Save kept, aged by the time since then. The error is
// fs.ErrNotExist if there is no such file; of one that is damaged, nothing is
// learnt.
func (b *Book) Load(dir *os.Root, name string, now time.Time) error {
	f, err := dir.Open(name)
	if err != nil {
		return fmt.Errorf("clients of resolvers: %w", err)
	}
	defer f.Close()
	known, when, err := read(f)
	if err != nil {
		return fmt.Errorf("clients of resolvers in %s: %w", name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known = known
	b.age(now.Sub(when))
	b.ticked = now
	return nil
}

func read(r io.Reader) (known map[netip.Addr]*picture, when time.Time, err error) {
	lines := bufio.NewScanner(r)
	if !lines.Scan() {
		return nil, when, errors.Join(errors.New("the file is empty"), lines.Err())
	}
	date, ok := strings.CutPrefix(lines.Text(), magic)
	if when, err = time.Parse(time.RFC3339, date); !ok || err != nil {
		return nil, when, fmt.Errorf("line 1: want %q and a date", strings.TrimSpace(magic))
	}
	known = map[netip.Addr]*picture{}
	for cells := 0; lines.Scan(); cells++ {
		if n, ok := strings.CutPrefix(lines.Text(), trailer); ok {
			if n != strconv.Itoa(cells) || lines.Scan() {
				return nil, when, fmt.Errorf("line %d: the end says %q, but %d lines came before it, and nothing may come after", cells+2, n, cells)
			}
			return known, when, lines.Err()
		}
		if err := readCell(known, lines.Text()); err != nil {
			return nil, when, fmt.Errorf("line %d: %w", cells+2, err)
		}
	}
	return nil, when, errors.Join(errors.New("the file ends too early"), lines.Err())
}

func readCell(known map[netip.Addr]*picture, line string) error {
	fields := strings.Split(line, " ")
	if len(fields) != 4 {
		return fmt.Errorf("%d words: want resolver, clients, edge and count", len(fields))
	}
	resolver, err := netip.ParseAddr(fields[0])
	if err != nil || resolver != resolver.Unmap().WithZone("") {
		return fmt.Errorf("%.60q is not the address of a resolver", fields[0])
	}
	client, err := netip.ParsePrefix(fields[1])
	if err != nil || client != landfall.ClientPrefix(client.Addr()) {
		return fmt.Errorf("%.60q is not an IPv4 /24 or an IPv6 /48", fields[1])
	}
	weight, err := strconv.ParseFloat(fields[3], 64)
	if err != nil || math.IsNaN(weight) || weight <= 0 || weight > heaviest {
		return fmt.Errorf("%.40q is not a count above 0", fields[3])
	}
	if len(fields[2]) == 0 || len(fields[2]) > 63 {
		return fmt.Errorf("%.80q is not the name of an edge", fields[2])
	}
	p := known[resolver]
	switch {
	case p == nil && len(known) == maxResolvers:
		return fmt.Errorf("more than %d resolvers", maxResolvers)
	case p == nil:
		p = &picture{}
		known[resolver] = p
	case len(p.cells) == maxCells:
		return fmt.Errorf("more than %d networks behind resolver %s", maxCells, resolver)
	}
	c := cell{client, landfall.NodeID(fields[2]), weight}
	if n := len(p.cells); n > 0 && p.cells[n-1].compare(c) >= 0 {
		return fmt.Errorf("network %s by edge %s is out of order", client, c.edge)
	}
	p.cells = append(p.cells, c)
	p.total += weight
	return nil
}
