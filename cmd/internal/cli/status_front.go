package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"landfall/cmd/internal/admin"
)

// maxFault is how much of why a node does not answer stands in the table.
const maxFault = 30

// shortFault is the beginning of what went wrong, for a column.
func shortFault(s string) string {
	if len(s) <= maxFault {
		return s
	}
	cut := strings.LastIndexByte(s[:maxFault], ' ')
	if cut <= 0 {
		cut = maxFault
	}
	return strings.TrimRight(s[:cut], " :,;") + " ..."
}

// writeFaults tells in full what the table has no room for.
func writeFaults(out io.Writer, o admin.Overview) error {
	var lines []string
	for _, n := range o.Nodes {
		if shortFault(n.Error) != n.Error {
			lines = append(lines, fmt.Sprintf("%s does not tell its status: %s", n.Node, n.Error))
		}
	}
	return writeLines(out, lines)
}

// writeFronts tells where nodes are in the mesh, and what streams are made of
// there.
func writeFronts(out io.Writer, o admin.Overview) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var lines []string
	none := true
	for _, n := range o.Nodes {
		f := n.Mesh
		if f == nil || f.Addr == "" {
			continue
		}
		if none {
			none = false
			fmt.Fprintln(t, "\nMESH\tADDRESS\tFRONT")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", n.Node, f.Addr, strings.TrimSpace(f.Front+" "+f.Device))
		lines = append(lines, frontNotes(n)...)
	}
	if none {
		return nil
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return writeLines(out, lines)
}

// frontNotes is what is wrong with a node's front, or was.
func frontNotes(n admin.Status) (lines []string) {
	f := n.Mesh
	if f.Broken != "" {
		lines = append(lines, fmt.Sprintf("%s has lost what the mesh needs of its device %s: %s", n.Node, f.Device, f.Broken))
	}
	if f.Deaf {
		lines = append(lines, fmt.Sprintf("%s has a firewall that drops what comes by %s: ufw allow in on %s", n.Node, f.Device, f.Device))
	}
	if f.Mended > 0 {
		lines = append(lines, fmt.Sprintf("%s has put back what somebody took from its device %s (%s)", n.Node, f.Device, f.What))
	}
	return lines
}

// writeLines writes a paragraph, if there is anything in it.
func writeLines(out io.Writer, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "\n%s\n", strings.Join(lines, "\n"))
	return err
}
