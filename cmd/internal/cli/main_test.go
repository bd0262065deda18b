package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"landfall/cmd/internal/config"
)

// said is what a command line made of its world.
type said struct {
	out, err string
	status   int
}

// run runs a command line in an empty directory with the files given.
func run(t *testing.T, stdin string, files map[string]string, args ...string) said {
	t.Helper()
	env, out, errs := testEnv(t, stdin)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(env.Dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	status := Main(t.Context(), env, args)
	return said{out.String(), strings.ReplaceAll(errs.String(), env.Dir+"/", ""), status}
}

func testEnv(t *testing.T, stdin string) (Env, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return Env{
		Stdin:  strings.NewReader(stdin),
		Stdout: &out,
		Stderr: &errs,
		Dir:    t.TempDir(),
		Getenv: func(string) string { return "" },
	}, &out, &errs
}

const small = `name = "n"
domain = "n.test"
[[region]]
id = "fra"
place = "50.11,8.68"
home = true
`

func TestCheckTellsOkOrAllFaults(t *testing.T) {
	files := map[string]string{"good.toml": small, "bad.toml": small + "hom = true\n[[node]]\n", "network.toml": config.Example()}
	ok := "good.toml: ok: 1 region, 0 nodes, 0 services\n"
	for _, c := range []struct {
		name  string
		stdin string
		args  []string
		want  said
	}{
		{name: "one", args: []string{"check", "good.toml"}, want: said{out: ok}},
		{name: "none named", args: []string{"check"}, want: said{out: "network.toml: ok: 3 regions, 3 nodes, 4 services, 1 zone with 2 records\n"}},
		{name: "standard input", stdin: small, args: []string{"check", "good.toml", "-"},
			want: said{out: ok + "(standard input): ok: 1 region, 0 nodes, 0 services\n"}},
		{name: "standard input twice", args: []string{"check", "-", "-"},
			want: said{err: "landfall: check: the standard input can be read once (see \"landfall help check\")\n", status: ExitUsage}},
		{name: "not there", args: []string{"check", "none.toml", "good.toml"},
			want: said{out: ok, err: "landfall: check: network file: open none.toml: no such file or directory\n", status: ExitFailed}},
		{name: "example and file", args: []string{"check", "--example", "good.toml"},
			want: said{err: "landfall: check: --example takes no file (see \"landfall help check\")\n", status: ExitUsage}},
		{name: "example", args: []string{"check", "--example"}, want: said{out: config.Example()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := run(t, c.stdin, files, c.args...); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
	got := run(t, "", files, "check", "bad.toml", "good.toml", "none.toml", "bad.toml")
	if got.status != ExitUsage || got.out != ok {
		t.Errorf("status %d, out %q", got.status, got.out)
	}
	for _, want := range []string{
		"bad.toml:7:1: region \"fra\": unknown key \"hom\"\n    7 | hom = true\n      | ^^^\n   cure: keys here: id, title, place, home\n",
		"bad.toml:8:1: node \"\" has no role",
		"landfall: check: network file: open none.toml: no such file or directory\nlandfall: bad.toml: 8 faults\n",
	} {
		if !strings.Contains(got.err, want) {
			t.Errorf("%q is not in:\n%s", want, got.err)
		}
	}
}

func TestCheckReadsNoEndlessFile(t *testing.T) {
	env, _, errs := testEnv(t, "")
	env.Stdin = io.MultiReader(bytes.NewReader(make([]byte, config.MaxSize+1)), brokenReader{t})
	if got := Main(t.Context(), env, []string{"check", "-"}); got != ExitUsage {
		t.Errorf("status %d", got)
	}
	if !strings.Contains(errs.String(), "more than 4194304") {
		t.Errorf("said %q", errs)
	}
}

type brokenReader struct{ t *testing.T }

func (r brokenReader) Read([]byte) (int, error) {
	r.t.Error("read past the limit")
	return 0, io.EOF
}

// TestEverythingWrittenIsChecked gives every command that prints a full disk.
func TestEverythingWrittenIsChecked(t *testing.T) {
	for _, args := range [][]string{
		{}, {"help"}, {"help", "check"}, {"check", "--help"}, {"version"}, {"--version"}, {"completion", "bash"},
		{"completion", "zsh"}, {"completion", "fish"}, {"completion", "powershell"}, {"check", "--example"}, {"check", "-"},
	} {
		env, _, errs := testEnv(t, small)
		env.Stdout = fullDisk{}
		if got := Main(t.Context(), env, args); got != ExitFailed {
			t.Errorf("%q: status %d", args, got)
		}
		if !strings.HasSuffix(errs.String(), "no space left\n") {
			t.Errorf("%q: said %q", args, errs)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// table is a table with all that a command can have.
func table(got *[]string) []Command {
	serve := func() Command {
		var listen []string
		var n int
		var every time.Duration
		var name string
		var undo bool
		return Command{
			Path: "dns serve", Args: "NODE [FILE...]", Short: "Answer",
			Flags: func(f *Flags) {
				f.Strings(&listen, "listen", "answer on `ADDR`")
				f.Int(&n, "number", 3, "how `MANY`")
				f.Duration(&every, "every", time.Second, "how often")
				f.String(&name, "name", "", "what to call it")
				f.Bool(&undo, "undo", "go back")
			},
			Run: func(_ context.Context, _ *Env, args []string) error {
				*got = append(listen, append(args, name, every.String())...)
				if undo {
					return Unreachable(errors.New("nobody there"))
				}
				return nil
			},
		}
	}
	explain := Command{Path: "dns explain", Args: "ADDR [NAME]", Short: "Explain",
		Run: func(ctx context.Context, _ *Env, _ []string) error { return ctx.Err() }}
	shell := Command{Path: "shell", Args: "ash|ksh", Short: "Shell", Run: func(context.Context, *Env, []string) error { return nil }}
	return []Command{serve(), explain, shell, helpCommand()}
}

func TestCommandLineIsReadStrictly(t *testing.T) {
	for line, want := range map[string]string{
		"dns serve fra1 --listen :1 a b --listen=:2 --name x": "",
		"dns serve -- fra1 --listen":                          "",
		"dns explain 192.0.2.1":                               "",
		"shell ksh":                                           "",
		"dns":                                                 `dns: which of them: serve, explain? (see "landfall help dns")`,
		"dns srve":                                            `dns: unknown command "srve"; did you mean "landfall dns serve"? (see "landfall help dns")`,
		"dsn serve":                                           `unknown command "dsn"; did you mean "landfall dns"? (see "landfall help")`,
		"zzzzzz":                                              `unknown command "zzzzzz" (see "landfall help")`,
		"--verbose":                                           `unknown flag --verbose (see "landfall help")`,
		"dns --help --x":                                      `dns: unknown flag --x (see "landfall help dns")`,
		"dns serve":                                           `dns serve: want NODE [FILE...] (see "landfall help dns serve")`,
		"dns serve a --listem :1":                             `dns serve: unknown flag --listem; did you mean --listen? (see "landfall help dns serve")`,
		"dns serve a -l":                                      `dns serve: unknown flag -l (see "landfall help dns serve")`,
		"dns serve a --listen":                                `dns serve: flag --listen needs a value (see "landfall help dns serve")`,
		"dns serve a --number x":                              `dns serve: flag --number: "x" is not a whole number (see "landfall help dns serve")`,
		"dns serve a --every 5":                               `dns serve: flag --every: "5" is not a duration such as "30s" (see "landfall help dns serve")`,
		"dns serve a --undo=perhaps":                          `dns serve: flag --undo: "perhaps" is not true or false (see "landfall help dns serve")`,
		"dns serve a --undo":                                  `dns serve: nobody there`,
		"dns explain a b c":                                   `dns explain: unexpected argument "c" after ADDR [NAME] (see "landfall help dns explain")`,
		"shell csh":                                           `shell: want ash or ksh, not "csh" (see "landfall help shell")`,
		"help make coffee":                                    `help: there is no command "make coffee" (see "landfall help")`,
	} {
		env, _, _ := testEnv(t, "")
		var got []string
		err := execute(t.Context(), &env, table(&got), strings.Fields(line))
		switch {
		case err == nil && want != "", err != nil && err.Error() != want:
			t.Errorf("%s:\n got %v\nwant %s", line, err, want)
		case err != nil && !strings.Contains(want, "nobody") && status(err) != ExitUsage:
			t.Errorf("%s: status %d", line, status(err))
		case err != nil && strings.Contains(want, "nobody") && status(err) != ExitUnreachable:
			t.Errorf("%s: status %d", line, status(err))
		}
		if line == "dns serve fra1 --listen :1 a b --listen=:2 --name x" && strings.Join(got, " ") != ":1 :2 fra1 a b x 1s" {
			t.Errorf("%s: got %q", line, got)
		}
	}
}

func TestContextReachesTheCommand(t *testing.T) {
	env, _, _ := testEnv(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := execute(ctx, &env, table(new([]string)), []string{"dns", "explain", "a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestHelpOfAGroupAndOfACommand(t *testing.T) {
	commands := table(new([]string))
	for path, want := range map[string]string{
		"dns": `Usage: landfall dns COMMAND

Commands:
  dns serve NODE [FILE...]  Answer
  dns explain ADDR [NAME]   Explain
`,
		"dns serve": `Usage: landfall dns serve NODE [FILE...] [FLAGS]

Answer.

Flags:
  --every duration  how often (default 1s)
  --listen ADDR     answer on ADDR
  --name string     what to call it
  --number MANY     how MANY (default 3)
  --undo            go back
`,
	} {
		for _, args := range [][]string{append([]string{"help"}, strings.Fields(path)...), append(strings.Fields(path), "--help")} {
			env, out, _ := testEnv(t, "")
			if args[0] == "help" { // the command in the table is that of the product
				if err := printHelp(&env, commands, path); err != nil {
					t.Fatal(err)
				}
			} else if err := execute(t.Context(), &env, commands, args); err != nil {
				t.Fatal(err)
			}
			if out.String() != want {
				t.Errorf("%q: got\n%swant\n%s", args, out, want)
			}
		}
	}
}

func TestShellsComplete(t *testing.T) {
	for line, want := range map[string]string{
		"__complete|":              "check\tTell everything that is wrong with a network file\n",
		"__complete|completion|":   "bash\nzsh\nfish\npowershell\n",
		"__complete|check|--ex":    "--example\tprint a file that uses and explains every key, and exit\n",
		"__completeNoDesc|versio":  "version\n",
		"__completeNoDesc|check|x": ":0\n", // the shell's own: files
	} {
		if got := run(t, "", nil, strings.Split(line, "|")...); !strings.Contains(got.out, want) {
			t.Errorf("%s: got %q", line, got.out)
		}
	}
}
