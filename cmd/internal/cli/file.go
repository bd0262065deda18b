package cli

import (
	"fmt"
	"io"
	"os"

	"landfall"
	"landfall/cmd/internal/config"
	"landfall/geodns/zone"
)

// readMap reads a network file that the user named; "-" is the standard
// input. Its faults come as a *config.Error.
func readMap(env *Env, name string) (*landfall.Map, error) {
	r, err := readNetwork(env, name, func(string) {})
	if err == nil && len(r.Problems) > 0 {
		err = &config.Error{Problems: r.Problems}
	}
	return r.Map, err
}

// readNetwork reads a network file and the files of its zones, each of which
// about hears of before it is opened.
func readNetwork(env *Env, name string, about func(name string)) (config.Reading, error) {
	about(name)
	src, err := readFile(env, name)
	if err != nil {
		return config.Reading{}, fmt.Errorf("network file: %w", err)
	}
	return config.Read(title(name), src, func(name string) ([]byte, error) {
		about(name)
		return readUpTo(env, name, config.MaxZoneFiles)
	}, judgeZones), nil
}

// judgeZones are the faults of the zones that the map makes, such as a record
// whose data cannot be read.
func judgeZones(m *landfall.Map) (faults, notes []landfall.Fault) {
	z, faults := zone.Build(m, nil)
	if z == nil {
		return faults, nil
	}
	return faults, z.Notes()
}

// readFile reads no more than it takes config.Read to say "too large".
func readFile(env *Env, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(env.Stdin, config.MaxSize+1))
	}
	return readUpTo(env, name, config.MaxSize)
}

// readUpTo reads a file, and of one that is too large one byte more than most.
func readUpTo(env *Env, name string, most int64) ([]byte, error) {
	f, err := os.Open(env.Path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}

func title(name string) string {
	if name == "-" {
		return "(standard input)"
	}
	return name
}
