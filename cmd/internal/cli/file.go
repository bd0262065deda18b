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
	src, err := readFile(env, name)
	if err != nil {
		return nil, fmt.Errorf("network file: %w", err)
	}
	m, problems := config.Parse(title(name), src, zoneFaults)
	if len(problems) > 0 {
		return nil, &config.Error{Problems: problems}
	}
	return m, nil
}

// zoneFaults are the faults of the zone that the map makes, such as a record
// whose data cannot be read.
func zoneFaults(m *landfall.Map) []landfall.Fault {
	_, faults := zone.Build(m, nil)
	return faults
}

// readFile reads no more than it takes config.Parse to say "too large".
func readFile(env *Env, name string) ([]byte, error) {
	in := env.Stdin
	if name != "-" {
		f, err := os.Open(env.Path(name))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, config.MaxSize+1))
}

func title(name string) string {
	if name == "-" {
		return "(standard input)"
	}
	return name
}
