package main

import "slices"

// sample is one figure, measured several times.
type sample []float64

func (s *sample) add(v float64) { *s = append(*s, v) }

// median is the middle one, or between the two in the middle.
func (s sample) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// ends are the smallest and the largest.
func (s sample) ends() (low, high float64) {
	if len(s) == 0 {
		return 0, 0
	}
	return slices.Min(s), slices.Max(s)
}
