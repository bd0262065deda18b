package peers

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Versions are those of Debian's packages that Landfall is held against.
func Versions(ctx context.Context, packages ...string) (string, error) {
	args := append([]string{"--show", "--showformat", "${Package} ${Version}\n"}, packages...)
	out, err := exec.CommandContext(ctx, "dpkg-query", args...).Output()
	if err != nil {
		return "", fmt.Errorf("versions of %s: %w", strings.Join(packages, ", "), err)
	}
	return strings.Join(strings.Split(strings.TrimSpace(string(out)), "\n"), ", "), nil
}
