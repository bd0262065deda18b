package gdnsd

import (
	"fmt"
	"strings"

	"landfall/cmd/internal/config"
)

// text is the map as a file, with its nodes: they do not join, since it is
// not Landfall's servers that stand there.
func (n *network) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Made of gdnsd's %s for `+"`landfall dns serve`"+`.
# Services are of the kind tcp, whose names have addresses and nothing else, as
# they had with gdnsd; the kind http adds HTTPS records (RFC 9460). An upstream
# is where edges forward to: a name server alone does not use it.

`, strings.Join(n.r.Files, ", "))
	b.WriteString(config.Write(n.m, true))
	b.WriteString("\n# Nodes are the addresses of gdnsd's datacenters, and the zone's name servers.\n")
	for i, node := range n.m.Nodes {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "[[node]]\nid = %q\nregion = %q\nroles = %s\n", node.ID, node.Region, quoted(node.Roles))
		if len(node.Advertised) > 0 {
			fmt.Fprintf(&b, "addresses = %s\n", quoted(node.Advertised))
		}
		if node.Weight != 0 {
			fmt.Fprintf(&b, "weight = %d\n", node.Weight)
		}
	}
	return b.String()
}

// quoted is a list of plain words.
func quoted[T any](words []T) string {
	var out []string
	for _, w := range words {
		out = append(out, fmt.Sprintf("%q", fmt.Sprint(w)))
	}
	return "[" + strings.Join(out, ", ") + "]"
}
