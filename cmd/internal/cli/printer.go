package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"landfall/cmd/internal/server"
)

// printer writes lines, and remembers the first error.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}

// block writes text that is to be copied as it is: in a zone file, a line that
// begins with a space means something else (RFC 1035, 5.1).
func (p *printer) block(text string) { p.line("\n%s", text) }

// printJSON writes a document that people can read too.
func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func addresses(as []netip.Addr) string {
	var out []string
	for _, a := range as {
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}

// program is what a user types to run this very program.
func (e *Env) program() string { return cmp.Or(e.Program, "landfall") }

// stateFlag declares --dir for commands that work in a state directory.
func stateFlag(f *Flags, dir *string) {
	f.Name(dir, "dir", "state directory `DIR`; $"+dirVariable+" if not given, else "+server.DefaultDir)
}

// stateDir is the directory that a command works in.
func stateDir(env *Env, dir string) string {
	return env.Path(cmp.Or(dir, env.Getenv(dirVariable), server.DefaultDir))
}
