package systemd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEnablingSaysWhatSystemctlSaid puts a script in systemctl's place.
func TestEnablingSaysWhatSystemctlSaid(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$@\" >" + dir + "/called\n[ \"$4\" = landfall.service ] && exit 0\necho Unit not found. >&2\nexit 5\n"
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	if err := EnableNow(t.Context(), "landfall.service"); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(dir + "/called"); err != nil || string(got) != "enable --now -- landfall.service\n" {
		t.Errorf("systemctl was called with %q, %v", got, err)
	}
	err := EnableNow(t.Context(), "landfal.service")
	if err == nil || !strings.Contains(err.Error(), "landfal.service") || !strings.HasSuffix(err.Error(), "Unit not found.") {
		t.Errorf("error %v, want one with what systemctl said", err)
	}
}
