package server

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"landfall/cmd/internal/coarse"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/geofetch"
	"landfall/cmd/internal/node"
	"landfall/geodns/locate"
)

// geoDir is where fetched databases are, in the state directory.
const geoDir = "geo"

// fetcher is what keeps databases fresh; nil if node.toml names no provider.
func fetcher(cfg Config, local config.Local) (*geofetch.Fetcher, error) {
	if local.Fetch.Provider == "" {
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

// geography tells a node its databases: the operator's own files, those that
// are fetched, or a coarse one in the state directory. Another coarse one, in
// memory, is there whatever happens to files.
func (s *server) geography(cfg *node.Config) (err error) {
	cfg.Geo = locate.Sources{Places: s.local.Geo, Networks: s.local.ASN}
	if s.fetcher != nil {
		cfg.Awaited = s.fetcher.Sources()
		cfg.Geo.Places = cmp.Or(s.local.Geo, cfg.Awaited.Places)
		cfg.Geo.Networks = cmp.Or(s.local.ASN, cfg.Awaited.Networks)
	}
	if cfg.Geo.Places == "" {
		if cfg.Geo.Places, err = coarse.File(s.cfg.Dir); err != nil {
			return err
		}
	}
	cfg.Coarse, err = coarse.Database()
	return err
}

// checkGeo refuses a geographic database that could not be used.
func checkGeo(path string) error {
	if path == "" {
		return nil
	}
	_, err := locate.Open(locate.Sources{Places: path}, nil)
	return err
}
