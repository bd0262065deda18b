package conformance

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the table of differences says now into the document")

const preface = `# Where name servers differ

This page is written from the table in [geodns/conformance](../geodns/conformance/differences_test.go)
(` + "`go test ./geodns/conformance -update`" + `). A test asks Landfall, Knot DNS, NSD and gdnsd, as Debian has them, the same
questions for the same zone: good ones, odd ones and damaged ones. It fails where they answer differently for a reason that is not
listed here, and where a row explains nothing any more. The order of records, compression, the case of names in records and
the zone's serial (ours is that of the file and the map's together) are not compared.

"Right" says who does as the standard has it: "both" where it leaves a choice.
`

// document is the page that the table makes.
func document() string {
	var b strings.Builder
	b.WriteString(preface)
	for _, part := range []struct {
		title string
		rows  []difference
	}{
		{"Messages that cannot be read", unreadable()},
		{"Questions for what is not served", unserved()},
		{"EDNS", otherEDNS()},
		{"What answers say", otherContent()},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| what Landfall does, and others do not | than | right | by |\n|---|---|---|---|\n", part.title)
		for _, d := range part.rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", d.what, strings.Join(strings.Fields(d.peers), ", "), d.right, d.rule)
		}
	}
	return b.String()
}

func TestDifferencesAreDocumented(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "differences.md")
	if *update {
		if err := os.WriteFile(file, []byte(document()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != document() {
		t.Errorf("%s is not what the table says: go test ./geodns/conformance -update", file)
	}
}
