package systemd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Enabled reports whether systemd is the init system of this machine
// (sd_booted(3)).
func Enabled() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

// EnableNow starts a unit, such as "landfall.service", now and at every boot.
// It returns once the unit has said that it is ready; an error carries what
// systemctl said.
func EnableNow(ctx context.Context, unit string) error {
	out, err := exec.CommandContext(ctx, "systemctl", "enable", "--now", "--", unit).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl enable --now %s: %w: %s", unit, err, bytes.TrimSpace(out))
	}
	return nil
}
