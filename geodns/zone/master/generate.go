package master

import (
	"fmt"
	"strconv"
	"strings"

	"landfall"
)

// generate makes records by counting (BIND 9's $GENERATE): in each word a $
// stands for the number, ${OFFSET,WIDTH,BASE} for one that is moved, filled up
// with zeros and written in another base (d, o, x or X), and $$ for itself.
func (s *state) generate(d word, args []word) {
	from, to, step, ok := span(args[0].text)
	if !ok {
		s.faultAt(args[0], "write FROM-TO or FROM-TO/STEP, such as 1-254", "%q is not a range of numbers", args[0].text)
		return
	}
	if (to-from)/step >= landfall.MaxRecords {
		s.faultAt(args[0], "write a shorter range", "%q is more than the %d records that a map can hold", args[0].text, landfall.MaxRecords)
		return
	}
	had := len(s.r.out.Faults)
	for n := from; n <= to && !s.r.full; n += step {
		made := make([]word, len(args)-1)
		for i, w := range args[1:] {
			text, err := expand(w.text, n)
			if err != nil {
				s.faultAt(w, "write $, $$ or ${OFFSET,WIDTH,BASE}, with a base of d, o, x or X", "%v", err)
				return
			}
			made[i] = word{text, w.quoted, d.from, w.to}
		}
		s.record(entry{words: made})
		if len(s.r.out.Faults) > had {
			return // the others would be no better
		}
	}
}

// span reads a range.
func span(text string) (from, to, step int, ok bool) {
	text, by, stepped := strings.Cut(text, "/")
	first, last, ranged := strings.Cut(text, "-")
	step = 1
	number := func(s string, n *int) bool {
		v, err := strconv.ParseUint(s, 10, 31)
		*n = int(v)
		return err == nil
	}
	ok = ranged && number(first, &from) && number(last, &to) && (!stepped || number(by, &step))
	return from, to, step, ok && from <= to && step > 0
}

// expand writes a word for a number.
func expand(text string, n int) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			b.WriteString(text[i : i+2])
			i++
		case text[i] != '$':
			b.WriteByte(text[i])
		case strings.HasPrefix(text[i:], "$$"):
			b.WriteByte('$')
			i++
		case strings.HasPrefix(text[i:], "${"):
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return "", fmt.Errorf("%q does not end", text[i:])
			}
			number, err := format(text[i+2:i+end], n)
			if err != nil {
				return "", err
			}
			b.WriteString(number)
			i += end
		default:
			fmt.Fprint(&b, n)
		}
	}
	return b.String(), nil
}

// format writes a number as OFFSET,WIDTH,BASE says.
func format(how string, n int) (string, error) {
	parts := strings.Split(how, ",")
	offset, err := strconv.ParseInt(parts[0], 10, 32)
	width, base := uint64(0), "d"
	if err == nil && len(parts) > 1 {
		width, err = strconv.ParseUint(parts[1], 10, 6)
	}
	if len(parts) > 2 {
		base = parts[2]
	}
	if err != nil || len(parts) > 3 || len(base) != 1 || !strings.Contains("doxX", base) || int64(n)+offset < 0 {
		return "", fmt.Errorf("${%s} is no number for %d", how, n)
	}
	return fmt.Sprintf("%0*"+base, int(width), int64(n)+offset), nil
}
