//go:build !linux

package geodns

// aside runs f.
func aside(f func()) { f() }
