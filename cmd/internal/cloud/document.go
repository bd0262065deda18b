package cloud

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// tokenFile is in memory on every system with systemd, and gone with it.
const tokenFile = "/run/landfall-join-token"

// document is the user data. It is read as root, at the first start only.
func (cfg Config) document() string {
	var b strings.Builder
	fmt.Fprintf(&b, `#cloud-config
# Makes a new Debian or Ubuntu server the node %s of the network %s.
# The token in it works once, until %s. The server keeps a copy of
# this document, for root alone; by then the token is worth nothing.

write_files:
  - path: %s
    owner: root:root
    permissions: "0600"
    content: %s
`, cfg.Node, cfg.Network, cfg.Expires.UTC().Format(time.RFC3339), tokenFile, quoted(cfg.Token+"\n"))
	if cfg.Package != "" {
		b.WriteString("\npackage_update: true\npackages: [ca-certificates, curl]\n")
	}
	b.WriteString("\nruncmd:\n  - - sh\n    - -euc\n    - |\n")
	for line := range strings.Lines(cfg.script()) {
		b.WriteString("      " + line)
	}
	return b.String()
}

// script installs Landfall, if need be, and joins. It asks again as long as
// home does not answer (status 3), for five minutes; a refusal is final.
func (cfg Config) script() string {
	var b strings.Builder
	fmt.Fprintf(&b, "trap 'rm -f %s' EXIT\n", tokenFile)
	if cfg.Package == "" {
		b.WriteString(`command -v landfall >/dev/null || {
  echo 'landfall is not in this image: put its package there, or invite with --package-url' >&2
  exit 1
}
`)
	} else {
		b.WriteString("cd \"$(mktemp -d)\"\n")
		fmt.Fprintf(&b, "curl -fsSL --proto =https --retry 5 -o landfall.deb %s\n", shell(cfg.Package))
		if cfg.SHA256 != Unchecked {
			fmt.Fprintf(&b, "echo '%s  landfall.deb' | sha256sum -c -\n", cfg.SHA256)
		}
		b.WriteString("DEBIAN_FRONTEND=noninteractive apt-get install -y ./landfall.deb\nrm landfall.deb\n")
	}
	fmt.Fprintf(&b, `tries=30
until landfall join --token-file %s; do
  [ $? -eq 3 ] && [ $((tries -= 1)) -gt 0 ] || exit 1
  sleep 10
done
`, tokenFile)
	return b.String()
}

// quoted is s as a double-quoted scalar of YAML, of which the strings of JSON
// are a part.
func quoted(s string) string {
	b, _ := json.Marshal(s) // a string cannot fail
	return string(b)
}

// shell is s as one word of a POSIX shell.
func shell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
