package cloud

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write what is made now into testdata")

func config() Config {
	return Config{
		Network: "shop", Node: "nyc1", Token: "landfall-join1:c2VjcmV0",
		Expires: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		Package: "https://packages.example/landfall_1.0_amd64.deb?for='new' servers&x=1",
		SHA256:  strings.Repeat("0123456789abcdef", 4),
	}
}

// userData is a #cloud-config as cloud-init reads it.
type userData struct {
	WriteFiles []struct {
		Path, Owner, Permissions, Content string
	} `yaml:"write_files"`
	PackageUpdate bool       `yaml:"package_update"`
	Packages      []string   `yaml:"packages"`
	RunCmd        [][]string `yaml:"runcmd"`
}

func parsed(t *testing.T, cfg Config) userData {
	t.Helper()
	text, err := UserData(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "#cloud-config\n") {
		t.Errorf("cloud-init takes this for something else:\n%s", text)
	}
	var u userData
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&u); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return u
}

func TestUserDataIsThatOfTestdata(t *testing.T) {
	image := config()
	image.Package, image.SHA256 = "", ""
	for name, cfg := range map[string]Config{"package.yaml": config(), "image.yaml": image} {
		got, err := UserData(cfg)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || got != string(want) {
			t.Errorf("%s: run go test ./cmd/internal/cloud -update, or write (%v):\n%s", file, err, got)
		}
	}
}

func TestTokenIsForRootAlone(t *testing.T) {
	u := parsed(t, config())
	if len(u.WriteFiles) != 1 {
		t.Fatalf("files %v, want the token's alone", u.WriteFiles)
	}
	f := u.WriteFiles[0]
	if f.Permissions != "0600" || f.Owner != "root:root" || f.Path != tokenFile || f.Content != config().Token+"\n" {
		t.Errorf("the token's file is %+v", f)
	}
	for _, word := range u.RunCmd[0] {
		if strings.Contains(word, config().Token) {
			t.Errorf("the token shows in the list of processes: %s", word)
		}
	}
}

// server runs the script of a document as a new server does, with programs of
// our own in the place of those that touch it. Each says how it was called.
func server(t *testing.T, cfg Config, landfall string) (calls string, token bool, err error) {
	t.Helper()
	u := parsed(t, cfg)
	dir := t.TempDir()
	tokenCopy := filepath.Join(dir, "token")
	programs := map[string]string{
		"curl":      "echo package >landfall.deb",
		"apt-get":   "[ -s landfall.deb ]",
		"sha256sum": "cat >/dev/null",
		"sleep":     "",
		"landfall":  landfall,
	}
	for name, does := range programs {
		script := "#!/bin/sh\necho " + name + ` "$@" >>"` + dir + "/calls\"\n" + does + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(tokenCopy, []byte(u.WriteFiles[0].Content), 0o600); err != nil {
		t.Fatal(err)
	}
	args := u.RunCmd[0]
	script := strings.ReplaceAll(args[2], tokenFile, tokenCopy)
	cmd := exec.CommandContext(t.Context(), args[0], args[1], script)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "TMPDIR="+dir)
	out, runErr := cmd.CombinedOutput()
	t.Logf("%s", out)
	said, err := os.ReadFile(dir + "/calls")
	if err != nil {
		t.Fatal(err)
	}
	_, err = os.Stat(tokenCopy)
	return strings.ReplaceAll(string(said), dir, ""), err == nil, runErr
}

const (
	installs = "curl -fsSL --proto =https --retry 5 -o landfall.deb https://packages.example/landfall_1.0_amd64.deb?for='new' servers&x=1\n" +
		"sha256sum -c -\napt-get install -y ./landfall.deb\n"
	joins = "landfall join --token-file /token\n"
)

func TestNewServerInstallsAndJoins(t *testing.T) {
	calls, token, err := server(t, config(), "[ -s \"$3\" ]")
	if err != nil || calls != installs+joins {
		t.Errorf("%v, calls:\n%s", err, calls)
	}
	if token {
		t.Error("the token is still there")
	}
}

func TestNewServerAsksAgainWhileHomeIsSilent(t *testing.T) {
	calls, token, err := server(t, config(), "exit 3")
	if err == nil || strings.Count(calls, joins) != 30 || token {
		t.Errorf("error %v, token left: %v, calls:\n%s", err, token, calls)
	}
}

func TestNewServerTakesARefusalAsFinal(t *testing.T) {
	calls, token, err := server(t, config(), "exit 1")
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || calls != installs+joins || token {
		t.Errorf("error %v, token left: %v, calls:\n%s", err, token, calls)
	}
}

func TestImageWithLandfallNeedsNoPackage(t *testing.T) {
	cfg := config()
	cfg.Package, cfg.SHA256 = "", ""
	if u := parsed(t, cfg); u.Packages != nil {
		t.Errorf("packages %v are installed", u.Packages)
	}
	if calls, _, err := server(t, cfg, ""); err != nil || calls != joins {
		t.Errorf("%v, calls:\n%s", err, calls)
	}
}

func TestPackageIsTakenUncheckedOnlyIfThatIsSaid(t *testing.T) {
	cfg := config()
	cfg.SHA256 = Unchecked
	calls, _, err := server(t, cfg, "[ -s \"$3\" ]")
	if want := strings.Replace(installs, "sha256sum -c -\n", "", 1) + joins; err != nil || calls != want {
		t.Errorf("%v, calls:\n%s", err, calls)
	}
}

// The programs in place of the real ones, but for sha256sum.
func TestPackageOfAnotherChecksumIsNotInstalled(t *testing.T) {
	sum, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Fatal(err)
	}
	script := config().script()
	_, check, _ := strings.Cut(script, "echo '")
	check, _, _ = strings.Cut(check, "\n")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "landfall.deb"), []byte("of a thief"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", strings.Replace("echo '"+check, "sha256sum", sum, 1)+"\necho installed")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(out), "installed") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestUserDataRefusesWhatWouldNotWork(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no token":         func(c *Config) { c.Token = "" },
		"two words":        func(c *Config) { c.Token = "landfall join x" },
		"plain http":       func(c *Config) { c.Package = "http://packages.example/landfall.deb" },
		"no package":       func(c *Config) { c.Package = "https://packages.example/" },
		"short checksum":   func(c *Config) { c.SHA256 = "abc" },
		"no checksum":      func(c *Config) { c.SHA256 = "" },
		"a command":        func(c *Config) { c.SHA256 = "none'; reboot '" },
		"checksum of none": func(c *Config) { c.Package = "" },
		"name of lines":    func(c *Config) { c.Network = "shop\nruncmd: [reboot]" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config()
			spoil(&cfg)
			if text, err := UserData(cfg); err == nil {
				t.Errorf("made:\n%s", text)
			}
		})
	}
}
