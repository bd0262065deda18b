package cli

import (
	"os"
	"testing"
)

// TestLabManualShowsTheExample holds docs/lab.md to the file that it speaks of.
func TestLabManualShowsTheExample(t *testing.T) {
	b, err := os.ReadFile("../../../docs/examples/lab/ocean.toml")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "../../../docs/lab.md", "ocean", "```toml\n"+string(b)+"```\n")
}
