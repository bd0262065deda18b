package cli

import (
	"fmt"
	"io"
	"os"

	"landfall"
	"landfall/cmd/internal/config"
)

// readMap reads a network file that the user named; "-" is the standard
// input. Its faults come as a *config.Error.
func readMap(env *Env, name string) (*landfall.Map, error) {
	src, err := readFile(env, name)
	if err != nil {
		return nil, fmt.Errorf("network file: %w", err)
	}
	m, problems := config.Parse(title(name), src)
	if len(problems) > 0 {
		return nil, &config.Error{Problems: problems}
	}
	return m, nil
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
