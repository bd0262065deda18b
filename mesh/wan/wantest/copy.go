package wantest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// timersHash is of upstream's device/timers.go as we know it: all its luck is
// in the one function that is replaced.
const timersHash = "74cf69b976102c8121bd301ce02f821560653f7566a6cb593f57b2b519d96f92"

const luck = `//go:linkname fastrandn runtime.fastrandn
func fastrandn(n uint32) uint32
`

// noLuck still keeps two ends from doing the same thing at the same time, for
// which the jitter is there.
const noLuck = `func fastrandn(n uint32) uint32 {
	return uint32(uint64(time.Now().UnixNano())*0x9e3779b97f4a7c15>>32) % n
}
`

var errUnknown = errors.New("device/timers.go of golang.zx2c4.com/wireguard is not the one that mesh/wan/wantest knows: " +
	"see what in it is left to chance, then change timersHash")

// even is timers.go without luck.
func even(timers []byte) ([]byte, error) {
	sum := sha256.Sum256(timers)
	if hex.EncodeToString(sum[:]) != timersHash || bytes.Count(timers, []byte(luck)) != 1 {
		return nil, errUnknown
	}
	return bytes.Replace(timers, []byte(luck), []byte(noLuck), 1), nil
}

// copyEven copies the module's code, without its tests, and evens its timers.
func copyEven(from, to string) error {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		if strings.HasSuffix(name, "_test.go") || !(strings.HasSuffix(name, ".go") || strings.HasPrefix(name, "go.")) {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if name == filepath.Join("device", "timers.go") {
			if b, err = even(b); err != nil {
				return err
			}
		}
		return os.WriteFile(filepath.Join(to, name), b, 0o644)
	})
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}
