package cli

import (
	"os"
	"testing"
)

// TestLabManualShowsTheExamples holds docs/lab.md to the files that it speaks
// of.
func TestLabManualShowsTheExamples(t *testing.T) {
	for _, name := range []string{"ocean", "landfall"} {
		b, err := os.ReadFile("../../../docs/examples/lab/" + name + ".toml")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "../../../docs/lab.md", name, "```toml\n"+string(b)+"```\n")
	}
}
