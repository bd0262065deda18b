package cli

import (
	"fmt"
	"io"
	"strings"

	"landfall/cmd/internal/admin"
)

// muchRelayed is how many bytes a node has sent on for others that are worth a
// line: in each doubt a few go round.
const muchRelayed = 1_000_000

// writeWays tells of ways between nodes that are not as one would think.
func writeWays(out io.Writer, o admin.Overview) error {
	var lines []string
	for _, n := range o.Nodes {
		for _, p := range n.Paths {
			lines = append(lines, wayNotes(n, p)...)
		}
		if n.Mesh != nil && n.Mesh.Relayed >= muchRelayed {
			lines = append(lines, fmt.Sprintf("%s has relayed %s for others", n.Node, bytesText(n.Mesh.Relayed)))
		}
		if n.Mesh != nil && n.Mesh.Refused > 0 {
			lines = append(lines, fmt.Sprintf("%s does not let nodes reach what they tried to, the last %s (%d packets)", n.Node, n.Mesh.LastRefused, n.Mesh.Refused))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "\n%s\n", strings.Join(lines, "\n"))
	return err
}

// wayNotes is what is to be said about the ways of one node to a peer.
func wayNotes(n admin.Status, p admin.Path) (lines []string) {
	if p.Alive && p.Via != "" {
		lines = append(lines, fmt.Sprintf("%s reaches %s by way of %s: %s", n.Node, p.Peer, p.Via, p.Why))
	}
	for _, w := range p.Ways {
		if w.State == "mute" {
			lines = append(lines, fmt.Sprintf("%s to %s by %s: %s", n.Node, p.Peer, w.Way, w.Why))
		}
	}
	return lines
}

// bytesText is a number of bytes for people.
func bytesText(n uint64) string {
	const step = 1000
	if n < step {
		return fmt.Sprintf("%d bytes", n)
	}
	f, unit := float64(n)/step, 0
	units := []string{"kB", "MB", "GB", "TB", "PB", "EB"}
	for f >= step {
		f, unit = f/step, unit+1
	}
	return fmt.Sprintf("%.1f %s", f, units[unit])
}
