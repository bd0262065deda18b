package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

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
// about hears of before it is opened. What judges find is told with the rest.
func readNetwork(env *Env, name string, about func(name string), judges ...config.Judge) (config.Reading, error) {
	about(name)
	src, err := readFile(env, name)
	if err != nil {
		return config.Reading{}, fmt.Errorf("network file: %w", err)
	}
	open := func(name string, below ...string) ([]byte, error) {
		about(name)
		if err := lies(env, name, below); err != nil {
			return nil, err
		}
		return readUpTo(env, name, config.MaxZoneFiles)
	}
	return config.Read(title(name), src, open, append(judges, judgeZones)...), nil
}

// lies reports, as an error, that a file lies below none of some folders. None
// at all say that it may lie anywhere.
func lies(env *Env, name string, below []string) error {
	if len(below) == 0 {
		return nil
	}
	real, err := realName(env, name)
	if err != nil {
		return err
	}
	for _, folder := range below {
		if top, err := realName(env, folder); err == nil && strings.HasPrefix(real, strings.TrimSuffix(top, "/")+"/") {
			return nil
		}
	}
	return fmt.Errorf(`%s is not below the folder of the network file or of the zone's file, or one that include = ["FOLDER"] of the [[zone]] names`, real)
}

// realName is the full name of a file, without links on the way.
func realName(env *Env, name string) (string, error) {
	full, err := filepath.Abs(env.Path(name))
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(full)
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
// Whoever may write it might put a pipe in its place, where opening waits for
// somebody to write.
func readUpTo(env *Env, name string, most int64) ([]byte, error) {
	f, err := os.OpenFile(env.Path(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a regular file, but a folder, a pipe or a device", name))
	}
	return io.ReadAll(io.LimitReader(f, most+1))
}

func title(name string) string {
	if name == "-" {
		return "(standard input)"
	}
	return name
}
