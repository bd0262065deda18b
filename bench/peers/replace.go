package peers

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Replaceable is a kind of name server that another process can take over
// from while it answers.
type Replaceable struct {
	Kind
	Replace func(context.Context, Site) error // returns when the new process answers
	End     func(context.Context, Site) error // ends the last of them
}

// Replaceables are all of them.
func Replaceables() []Replaceable {
	return []Replaceable{
		{Kind: Kind{"gdnsd", GDNSD}, Replace: gdnsdctl("replace"), End: gdnsdctl("stop")},
	}
}

func gdnsdctl(deed string) func(context.Context, Site) error {
	return func(ctx context.Context, s Site) error {
		path, err := program("gdnsdctl")
		if err != nil {
			return err
		}
		out, err := exec.CommandContext(ctx, path, "-c", filepath.Join(s.Dir, "gdnsd"), deed).CombinedOutput()
		if err != nil {
			return fmt.Errorf("gdnsdctl %s: %w: %s", deed, err, out)
		}
		return nil
	}
}
