package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sample is a command with all that roff could take for its own.
func sample() Command {
	var s string
	return Command{
		Path:  "map pare",
		Args:  "NODE [FILE...]",
		Short: "Pare the map's edges",
		Long: `.dots and 'quotes' at the start, a back\slash, a C:\new path,
and "double" ones.

  landfall map pare fra1 --to ~/x^2
    it's ` + "`fine`" + `

  second block
After.`,
		Flags: func(f *Flags) { f.String(&s, "to-file", `a"b\c`, "where `FILE` goes") },
		Run:   func(context.Context, *Env, []string) error { return nil },
	}
}

// samplePage is what becomes of sample.
const samplePage = `.TH "LANDFALL\-MAP\-PARE" "1" "" "landfall v1.2.3" "Landfall"
.SH "NAME"
landfall\-map\-pare \- pare the map\(aqs edges
.SH "SYNOPSIS"
\fBlandfall map pare\fR \fINODE\fR [\fIFILE\fR...] [\fIFLAGS\fR]
.SH "DESCRIPTION"
Pare the map\(aqs edges.
.PP
\&.dots and \(aqquotes\(aq at the start, a back\eslash, a C:\enew path,
and \(dqdouble\(dq ones.
.PP
.RS 2
.nf
landfall map pare fra1 \-\-to \(ti/x\(ha2
  it\(aqs \(gafine\(ga

second block
.fi
.RE
After.
.SH "OPTIONS"
.TP
\fB\-\-to\-file\fR \fIFILE\fR
Where FILE goes (default a\(dqb\ec).
.SH "EXIT STATUS"
`

func TestManualPageSaysWhatTheTableSays(t *testing.T) {
	got := manPages([]Command{sample()}, "v1.2.3")
	page := got["landfall-map-pare.1"]
	if len(got) != 2 || got["landfall.1"] == "" || !strings.HasPrefix(page, samplePage) {
		t.Errorf("%d pages, this one among them:\n%s", len(got), page)
	}
	text, ok := rendered(t, t.TempDir(), "sample.1", page)
	for _, want := range []string{
		`.dots and 'quotes' at the start, a back\slash, a C:\new path`,
		"landfall map pare fra1 --to ~/x^2\n", "  it's `fine`\n\n",
		"--to-file FILE\n", `Where FILE goes (default a"b\c).`,
	} {
		if ok && !strings.Contains(text, want) {
			t.Errorf("a reader does not see %q:\n%s", want, text)
		}
	}
}

// TestEveryManualPageIsClean has man read what `landfall man` writes.
func TestEveryManualPageIsClean(t *testing.T) {
	dir := t.TempDir()
	env := &Env{Dir: dir}
	if err := manCommand().Run(t.Context(), env, []string{"."}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(dir + "/*.1")
	if err != nil || len(files) != len(Commands())+1 {
		t.Fatalf("%d pages for %d commands: %v", len(files), len(Commands()), err)
	}
	for _, f := range files {
		page, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		rendered(t, dir, filepath.Base(f), string(page))
	}
	if err := manCommand().Run(t.Context(), env, []string{"missing"}); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("into a directory that is not there: %v", err)
	}
}

// rendered is a page as a reader sees it; ok is false where nobody has
// installed man.
func rendered(t *testing.T, dir, name, page string) (text string, ok bool) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("man"); err != nil {
		t.Log(err)
		return "", false
	}
	cmd := exec.CommandContext(t.Context(), "man", "--warnings", "-E", "UTF-8", "-l", file)
	cmd.Env = append(os.Environ(), "MANROFFSEQ=", "MANWIDTH=80", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING=", "PAGER=cat")
	var warnings strings.Builder
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil || warnings.Len() > 0 {
		t.Errorf("%s: %v, man says: %s", name, err, warnings.String())
	}
	return string(out), true
}
