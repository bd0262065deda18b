package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"landfall/cmd/internal/admin"
)

// writeKeys tells how the keys of signed zones are, if there are any, and what an
// operator should know of them.
func writeKeys(out io.Writer, o admin.Overview, now time.Time) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	none := true
	var notes []string
	for _, n := range o.Nodes {
		for _, k := range n.Keys {
			if none {
				none = false
				fmt.Fprintln(t, "\nSIGNED ZONE\tKSK\tZSK\tSIGNED AHEAD\tNEXT")
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", k.Zone, tags(k.KSK), tags(k.ZSK), ahead(k.Until, now), coming(k))
			for _, note := range k.Notes {
				notes = append(notes, k.Zone+": "+note)
			}
		}
	}
	if none {
		return nil
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range notes {
		if _, err := fmt.Fprintln(out, n); err != nil {
			return err
		}
	}
	return nil
}

func tags(all []uint16) string {
	if len(all) == 0 {
		return "-" // they are kept elsewhere
	}
	return strings.Trim(fmt.Sprint(all), "[]")
}

// ahead is for how long signatures have been made.
func ahead(until, now time.Time) string {
	if until.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%dd", int(until.Sub(now).Hours()/24))
}

func coming(k admin.ZoneKeys) string {
	switch {
	case k.What == "":
		return "-"
	case k.Next.IsZero():
		return "waits until: " + k.What
	}
	return fmt.Sprintf("%s: %s", k.Next.UTC().Format("2006-01-02 15:04 MST"), k.What)
}
