package cli

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionNamesTheCommit(t *testing.T) {
	setting := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	platform := []debug.BuildSetting{setting("GOOS", "linux"), setting("GOARCH", "arm64")}
	for _, c := range []struct {
		info debug.BuildInfo
		want string
	}{
		{
			debug.BuildInfo{GoVersion: "go1.26.8", Settings: platform},
			"landfall (devel)\ncommit unknown\ngo1.26.8 linux/arm64\n",
		},
		{
			debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: append(platform,
				setting("vcs.revision", "0123abcd"), setting("vcs.time", "2026-11-22T10:00:00Z"), setting("vcs.modified", "true"))},
			"landfall v1.2.3\ncommit 0123abcd of 2026-11-22T10:00:00Z, changed since\ngo1.26.8 linux/arm64\n",
		},
	} {
		if got := versionText(&c.info); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if got := run(t, "", nil, "version"); got != run(t, "", nil, "--version") || !strings.HasPrefix(got.out, "landfall ") {
		t.Errorf("got %+v", got)
	}
}
