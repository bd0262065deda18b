package traffic

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"landfall/geodns/keep"
)

const (
	// most is how many prefixes of a log are kept, the heaviest: whoever has
	// more is told of those by a shorter one.
	most = 1 << 20
	// heaviest is what one line may count.
	heaviest = 1e15
	// maxFaults is how many lines at fault are named.
	maxFaults = 10
)

// Read reads a log of queries: a line holds an address or a prefix and how
// many queries came from there, 1 where it does not say. What follows a # is
// no part of a line, and empty lines mean nothing. Addresses, and prefixes
// longer than an IPv4 /24 or an IPv6 /48, are counted as those. The memory it
// needs is bounded: of more than a million prefixes, the heaviest are kept.
//
// Errors name the lines at fault.
func Read(r io.Reader) (*View, error) { return read(r, most) }

func read(r io.Reader, most int) (*View, error) {
	counts := map[key]float64{}
	lines := bufio.NewScanner(r)
	var faults []error
	number := 0
	for lines.Scan() {
		number++
		k, n, err := parse(lines.Bytes())
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("line %d: %w", number, err))
		case k != 0 && n > 0:
			counts[k] += n
		}
		if len(counts) >= 2*most {
			prune(counts, most)
		}
		if len(faults) == maxFaults {
			return nil, errors.Join(append(faults, errors.New("and perhaps more"))...)
		}
	}
	if err := lines.Err(); err != nil {
		faults = append(faults, fmt.Errorf("line %d: %w", number+1, err))
	}
	if faults != nil {
		return nil, errors.Join(faults...)
	}
	if len(counts) > most {
		prune(counts, most)
	}
	entries := make([]entry, 0, len(counts))
	for k, n := range counts {
		entries = append(entries, entry{k, n})
	}
	return frozen(entries), nil
}

// parse reads a line; the key is 0 if there is nothing on it.
func parse(line []byte) (k key, count float64, err error) {
	line, _, _ = bytes.Cut(line, []byte("#"))
	fields := bytes.Fields(line)
	switch len(fields) {
	case 0:
		return 0, 0, nil
	case 1:
		count = 1
	case 2:
		count, err = strconv.ParseFloat(string(fields[1]), 64)
		if err != nil || !(count >= 0 && count <= heaviest) {
			return 0, 0, fmt.Errorf("count %.40q is not a number from 0 to %g", fields[1], heaviest)
		}
	default:
		return 0, 0, fmt.Errorf("%d words: want ADDRESS, or PREFIX COUNT", len(fields))
	}
	p, err := parsePrefix(string(fields[0]))
	if err != nil {
		return 0, 0, err
	}
	return keyOfPrefix(p), count, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	wrong := func() error {
		return fmt.Errorf("%.60q is neither an address nor a prefix: want such as 192.0.2.1 or 192.0.2.0/24", s)
	}
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, wrong()
		}
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, wrong()
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("prefix %s holds more than the IPv4 addresses written as IPv6: want a length of 96 or more", p)
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("prefix %s has bits set behind its length: want %s", p, p.Masked())
	}
	return p, nil
}

// prune leaves the heaviest prefixes of a log, of equal ones the first.
func prune(counts map[key]float64, most int) {
	entries := make([]entry, 0, len(counts))
	for k, n := range counts {
		entries = append(entries, entry{k, n})
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.key, b.key))
	})
	for _, e := range entries[most:] {
		delete(counts, e.key)
	}
}

// Write writes a View as Read reads it.
func Write(w io.Writer, v *View) error {
	b := bufio.NewWriter(w)
	for p, n := range v.All() {
		fmt.Fprintf(b, "%s %s\n", p, strconv.FormatFloat(n, 'g', 6, 64))
	}
	return b.Flush()
}

// Save keeps a View in a file, at once or not at all.
func Save(dir *os.Root, name string, v *View) error {
	return keep.Write(dir, name, func(w io.Writer) error { return Write(w, v) })
}

// Load is the View that Save kept. The error is fs.ErrNotExist if there is
// none.
func Load(dir *os.Root, name string) (*View, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, fmt.Errorf("counts of queries: %w", err)
	}
	defer f.Close()
	v, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("counts of queries in %s: %w", name, err)
	}
	return v, nil
}
