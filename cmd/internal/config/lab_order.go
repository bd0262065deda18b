package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// LabOrderSize is how many arguments an order has before what it sets: two
// places, or a host; 0 for words that are no order.
func LabOrderSize(verb string) int {
	switch verb {
	case "cut", "heal", "change":
		return 2
	case "unplug", "plug":
		return 1
	}
	return 0
}

// ParseLabOrder reads what a user wants to happen in a lab that runs: one of
// cut, heal, change, unplug and plug, with two places or a host, and what a
// change sets, such as loss=5%. It is judged as an event of the lab's file is.
func ParseLabOrder(l Lab, verb string, args []string) (e LabEvent, err error) {
	n := LabOrderSize(verb)
	switch {
	case n == 0:
		return e, fmt.Errorf("%q is no order: want cut, heal, change, unplug or plug", verb)
	case len(args) < n, verb != "change" && len(args) > n:
		return e, fmt.Errorf("%s wants %s", verb, map[int]string{1: "a host", 2: "two places"}[n])
	case verb == "change" && len(args) == n:
		return e, errors.New("nothing changes: say what does, such as loss=5%")
	}
	src, err := orderText(verb, args[:n], args[n:])
	if err != nil {
		return e, err
	}
	s := newSource("order", []byte(src))
	root, whole := grow(s)
	d := &decoder{src: s, places: map[string]span{}, whole: whole, apart: true}
	fields := labEvent(&e)[1:] // it happens now
	d.fields(spot{}, root, []field{{key: "order", read: section(fields)}})
	if whole {
		(&labCheck{d: d, lab: &l}).event("order", "", &LabPhase{}, e)
	}
	var faults []string
	for _, p := range s.problems() {
		faults = append(faults, strings.TrimSuffix(p.Msg+": "+p.Cure, ": "))
	}
	if len(faults) > 0 {
		return LabEvent{}, errors.New(strings.Join(faults, "; "))
	}
	return e, nil
}

// orderText is an order as a file would say it.
func orderText(verb string, to, sets []string) (string, error) {
	quoted := make([]string, len(to))
	for i, name := range to {
		quoted[i] = strconv.Quote(name)
	}
	what := quoted[0]
	if len(to) > 1 {
		what = "[" + strings.Join(quoted, ", ") + "]"
	}
	var src strings.Builder
	src.WriteString("[order]\n" + verb + " = " + what + "\n")
	for _, set := range sets {
		key, value, ok := strings.Cut(set, "=")
		if !ok || key == "" || strings.ContainsAny(key, ".\"' \n#[]") {
			return "", fmt.Errorf("%q sets nothing: write KEY=VALUE, such as loss=5%%", set)
		}
		src.WriteString(key + " = " + bare(value) + "\n")
	}
	return src.String(), nil
}

// bare puts text into quotes, and leaves alone what a file has without.
func bare(value string) string {
	_, err := strconv.Atoi(value)
	if err == nil || value == "true" || value == "false" || strings.HasPrefix(value, "{") {
		return value
	}
	return strconv.Quote(value)
}
