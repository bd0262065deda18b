package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"landfall"
	"landfall/cmd/internal/node"
)

// lastFile is where a name server alone keeps the last good map, below its state
// directory.
const lastFile = "network.last"

// lastMap is what is kept.
type lastMap struct {
	File string        `json:"file"` // that it was read from
	Map  *landfall.Map `json:"map"`
}

// remember keeps a map that came of the files, for a start at which they have
// faults.
func (f *networkFile) remember(m *landfall.Map) {
	if f.state == "" {
		return
	}
	b, err := json.Marshal(lastMap{f.env.Path(f.name), m})
	if err == nil {
		err = node.WriteFile(filepath.Join(f.state, lastFile), b, 0o600)
	}
	if err != nil {
		f.log.Warn("network file not kept for the next start", "err", err)
	}
}

// recall is the last map that came of the very same files, when they were good;
// nil if there is none.
func (f *networkFile) recall() *landfall.Map {
	if f.state == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(f.state, lastFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var last lastMap
	if err == nil {
		err = json.Unmarshal(b, &last)
	}
	if err != nil {
		f.log.Warn("what the network file was is lost", "err", fmt.Errorf("%s: %w", lastFile, err))
		return nil
	}
	if last.Map == nil || last.Map.Domain == "" || last.File != f.env.Path(f.name) {
		return nil
	}
	return last.Map
}

// openLast serves what the files said when they were good: a name server that
// starts answers with zones that are old rather than not at all. Err is what is
// wrong with them now.
func (f *networkFile) openLast(err error) (*landfall.Map, error) {
	m := f.recall()
	if m == nil {
		return nil, err
	}
	if err := f.prepare(m); err != nil {
		return nil, err
	}
	f.refuse(err)
	f.log.Error("serving what the network file said when it was good", "serial", m.Serial)
	return m, nil
}
