package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"landfall/cmd/internal/node"
	"landfall/cmd/internal/systemd"
)

// watch gives the service manager signs of life for as long as the node's
// parts answer.
func (s *server) watch(ctx context.Context, n *node.Node) error {
	dog, err := systemd.NewWatchdog(systemd.WatchdogConfig{Log: s.cfg.Log, Alive: func(context.Context) error {
		n.Status() // takes the locks of all parts: who hangs, hangs here
		return nil
	}})
	if err != nil {
		return err
	}
	return dog.Run(ctx)
}

// reportEvery is how often the service manager's line is brought up to date.
const reportEvery = 5 * time.Second

// report tells the service manager what the node does, until ctx ends.
func (s *server) report(ctx context.Context, n *node.Node) error {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	said := ""
	for {
		if line := statusLine(n); line != said {
			said = line
			if err := systemd.Ready(line); err != nil {
				s.cfg.Log.Warn("service manager not told", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func statusLine(n *node.Node) string {
	st := n.Status()
	var roles []string
	for _, r := range st.Roles {
		roles = append(roles, string(r))
	}
	line := fmt.Sprintf("%s of %s serves %s by map serial %d", st.Node, st.Network, strings.Join(roles, ", "), st.Serial)
	if len(st.Waiting) > 0 {
		line += "; waits for " + strings.Join(st.Waiting, ", ")
	}
	return line
}
