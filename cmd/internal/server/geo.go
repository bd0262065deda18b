package server

import (
	"fmt"
	"os"
	"path/filepath"

	"landfall/cmd/internal/config"
	"landfall/cmd/internal/geofetch"
	"landfall/geodns/locate"
)

// geoDir is where fetched databases are, in the state directory.
const geoDir = "geo"

// fetcher is what keeps databases fresh; nil if node.toml names no provider,
// or databases of the operator's own.
func fetcher(cfg Config, local config.Local) (*geofetch.Fetcher, error) {
	if local.Fetch.Provider == "" || local.Geo != "" {
		return nil, nil
	}
	dir := filepath.Join(cfg.Dir, geoDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("geographic databases: %w", err)
	}
	return geofetch.New(geofetch.Config{
		Provider: local.Fetch.Provider, Dir: dir, Account: local.Fetch.Account, KeyFile: local.Fetch.KeyFile,
		MaxMove: local.Fetch.MaxMove, Log: cfg.Log,
	})
}

// sources are the databases that node.toml asks for: the operator's own files,
// or those that are fetched.
func (s *server) sources() locate.Sources {
	if s.fetcher != nil {
		out := s.fetcher.Sources()
		if s.local.ASN != "" {
			out.Networks = s.local.ASN
		}
		return out
	}
	return locate.Sources{Places: s.local.Geo, Networks: s.local.ASN}
}
