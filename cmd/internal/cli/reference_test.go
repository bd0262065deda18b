package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"landfall/cmd/internal/config"
)

var update = flag.Bool("update", false, "write what the command table says now into the documents")

// TestCommandsDocumentIsThatOfTheTable holds docs/commands.md to the table.
func TestCommandsDocumentIsThatOfTheTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Commands\n\n" +
		"This page is written from the command table (`go test ./cmd/internal/cli -update`);\n" +
		"`landfall help COMMAND` says the same.\n")
	for _, c := range Commands() {
		fmt.Fprintf(&b, "\n## landfall %s\n\n```\n%s```\n", c.Path, helpOne(c))
	}
	fmt.Fprintf(&b, "\n## Exit status\n\n```\n%s```\n", strings.TrimPrefix(exits, "Exit status:\n"))
	same(t, "../../../docs/commands.md", "", b.String())
}

// TestReadmeListsTheCommands holds the list in README.md to the table.
func TestReadmeListsTheCommands(t *testing.T) {
	same(t, "../../../README.md", "commands", "```\n"+list(Commands())+"```\n")
}

// TestNetworkManualShowsTheExample holds docs/network.md to the file that
// `landfall check --example` prints.
func TestNetworkManualShowsTheExample(t *testing.T) {
	same(t, "../../../docs/network.md", "example", "```toml\n"+config.Example()+"```\n")
}

// TestNetworkManualShowsTheFaults holds its other half to what is said of a
// file with faults.
func TestNetworkManualShowsTheFaults(t *testing.T) {
	const name = "manual.toml"
	src, err := os.ReadFile("../config/testdata/check/" + name)
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, "", map[string]string{name: string(src)}, "check", name)
	same(t, "../../../docs/network.md", "faults", "```\n$ landfall check "+name+"\n"+got.err+"```\n")
}

// same compares a document, or what stands in it between <!-- mark --> and
// <!-- /mark -->, with the text that belongs there.
func same(t *testing.T, file, mark, want string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !(*update && mark == "") {
		t.Fatal(err)
	}
	before, got, after := "", string(b), ""
	if mark != "" {
		before, got, after = between(string(b), mark)
		if before == "" {
			t.Fatalf("%s: the lines <!-- %s --> and <!-- /%s --> are missing", file, mark, mark)
		}
	}
	if got == want {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+want+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s: run go test ./cmd/internal/cli -update, or write:\n%s", file, want)
}

// between cuts a document at its marks, which stay on the outside.
func between(text, mark string) (before, within, after string) {
	begin, end := "<!-- "+mark+" -->\n", "<!-- /"+mark+" -->"
	i := strings.Index(text, begin)
	if i < 0 {
		return "", "", ""
	}
	i += len(begin)
	j := strings.Index(text[i:], end)
	if j < 0 {
		return "", "", ""
	}
	return text[:i], text[i : i+j], text[i+j:]
}
