package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

func manCommand() Command {
	return Command{
		Path:  "man",
		Args:  "DIR",
		Short: "Write the manual pages into a directory",
		Long: `Writes landfall.1 and a page for each command, as the Debian package has
them. "man -l DIR/landfall.1" shows one without installing it.`,
		Run: func(_ context.Context, env *Env, args []string) error {
			dir := env.Path(args[0])
			for name, text := range manPages(Commands(), version()) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					return fmt.Errorf("manual page: %w", err)
				}
			}
			return nil
		},
	}
}

// manPages are the pages by file name, in the language of man(7).
func manPages(commands []Command, version string) map[string]string {
	pages := map[string]string{"landfall.1": manAll(commands, version)}
	for _, c := range commands {
		pages[manName(c.Path)+".1"] = manOne(c, version)
	}
	return pages
}

// manName is the page of a command: "landfall-dns-serve".
func manName(path string) string { return strings.ReplaceAll("landfall "+path, " ", "-") }

// manAll is the page of the program.
func manAll(commands []Command, version string) string {
	p := newRoff("landfall", version, "an edge network for one application")
	p.request("SH", "SYNOPSIS")
	p.raw(`\fBlandfall\fR \fICOMMAND\fR [\fIARGUMENT\fR...] [\fIFLAGS\fR]`)
	p.request("SH", "DESCRIPTION")
	p.text(about)
	p.request("SH", "COMMANDS")
	for _, c := range commands {
		p.item(bold("landfall "+c.Path)+manArgs(c.Args), c.Short+".")
	}
	p.request("SH", "ENVIRONMENT")
	p.item(bold(dirVariable), "State directory of the node, where --dir is not given.")
	p.exits()
	p.request("SH", "SEE ALSO")
	var pages []string
	for _, c := range commands {
		pages = append(pages, bold(manName(c.Path))+"(1)")
	}
	p.raw(strings.Join(pages, ",\n"))
	return p.String()
}

// manOne is the page of one command.
func manOne(c Command, version string) string {
	first, size := utf8.DecodeRuneInString(c.Short)
	p := newRoff(manName(c.Path), version, string(unicode.ToLower(first))+c.Short[size:])
	p.request("SH", "SYNOPSIS")
	synopsis := bold("landfall "+c.Path) + manArgs(c.Args)
	if c.Flags != nil {
		synopsis += ` [\fIFLAGS\fR]`
	}
	p.raw(synopsis)
	p.request("SH", "DESCRIPTION")
	p.text(c.Short + ".")
	p.prose(c.Long)
	if flags := c.flags(); len(flags) > 0 {
		p.request("SH", "OPTIONS")
		for _, f := range flags {
			p.item(manFlag(f), manUsage(f))
		}
	}
	p.exits()
	p.request("SH", "SEE ALSO")
	p.raw(bold("landfall") + "(1)")
	return p.String()
}

func manFlag(f flagHelp) string {
	if f.value == "" {
		return bold("--" + f.name)
	}
	return bold("--"+f.name) + ` \fI` + escape(f.value) + `\fR`
}

// manUsage is the usage as a sentence.
func manUsage(f flagHelp) string {
	first, size := utf8.DecodeRuneInString(f.usage)
	usage := string(unicode.ToUpper(first)) + f.usage[size:]
	if f.def != "" {
		usage += " (default " + f.def + ")"
	}
	return usage + "."
}

// manArgs are the arguments after a command: names slanted, words upright.
func manArgs(args string) string {
	var b strings.Builder
	for arg := range strings.FieldsSeq(args) {
		b.WriteByte(' ')
		if arg != strings.ToUpper(arg) {
			b.WriteString(escape(arg))
			continue
		}
		inner := strings.TrimSuffix(strings.Trim(arg, "[]"), "...")
		b.WriteString(strings.Replace(escape(arg), escape(inner), `\fI`+escape(inner)+`\fR`, 1))
	}
	return b.String()
}

// roff writes a manual page. What it is given is text, never markup, but for
// raw and the tag of item.
type roff struct{ strings.Builder }

func newRoff(name, version, what string) *roff {
	p := new(roff)
	p.request("TH", strings.ToUpper(name), "1", "", "landfall "+version, "Landfall")
	p.request("SH", "NAME")
	p.raw(escape(name) + ` \- ` + escape(what))
	return p
}

// request writes a line such as .SH "SEE ALSO".
func (p *roff) request(name string, args ...string) {
	p.WriteString("." + name)
	for _, arg := range args {
		p.WriteString(` "` + escape(arg) + `"`)
	}
	p.WriteByte('\n')
}

func (p *roff) raw(line string) { p.WriteString(line + "\n") }

// text writes lines to be filled.
func (p *roff) text(s string) {
	for line := range strings.Lines(s) {
		p.raw(escape(strings.TrimSpace(line)))
	}
}

// prose writes paragraphs, parted by empty lines; indented lines stay as they
// are.
func (p *roff) prose(s string) {
	literal, gap := false, true
	for line := range strings.Lines(strings.TrimSpace(s)) {
		line = strings.TrimRight(line, " \n")
		if line == "" {
			gap = true
			continue
		}
		indented := strings.HasPrefix(line, " ")
		switch {
		case indented && !literal:
			p.raw(".PP\n.RS 2\n.nf")
		case !indented && literal:
			p.raw(".fi\n.RE")
		}
		switch {
		case gap && !indented:
			p.raw(".PP")
		case gap && literal:
			p.raw("")
		}
		p.raw(escape(strings.TrimPrefix(line, "  ")))
		literal, gap = indented, false
	}
	if literal {
		p.raw(".fi\n.RE")
	}
}

// item is an entry of a list: a tag, and text that hangs below it.
func (p *roff) item(tag, text string) {
	p.raw(".TP\n" + tag)
	p.text(text)
}

// exits is the section about the exit status.
func (p *roff) exits() {
	p.request("SH", "EXIT STATUS")
	_, rows, _ := strings.Cut(exits, "\n")
	for row := range strings.Lines(rows) {
		status, meaning, _ := strings.Cut(strings.TrimSpace(row), " ")
		p.item(bold(status), strings.TrimSpace(meaning))
	}
}

func bold(s string) string { return `\fB` + escape(s) + `\fR` }

// escape makes roff print s as it is: hyphens and quotes that can be copied
// into a shell, and no request where a line begins with a dot.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, `"`, `\(dq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s)
	if strings.HasPrefix(s, ".") {
		return `\&` + s
	}
	return s
}
