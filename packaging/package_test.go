// Package packaging tests what the Debian package is made of, and the package.
package packaging

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// systemdAnalyze reports what systemd says of the unit files; ok is false
// where there is no systemd.
func systemdAnalyze(t *testing.T, args ...string) (out string, ok bool, err error) {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log(err)
		return "", false, nil
	}
	b, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	return string(b), true, err
}

// units copies the unit files, with a program that exists.
func units(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	found, err := filepath.Glob("systemd/*.service")
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := filepath.Glob("systemd/socket-activation/*.socket")
	if err != nil || len(found) != 1 || len(sockets) != 3 {
		t.Fatalf("units %v, %v, %v", found, sockets, err)
	}
	for _, f := range append(found, sockets...) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.ReplaceAll(b, []byte("/usr/bin/landfall"), []byte("/bin/true"))
		files = append(files, filepath.Join(dir, filepath.Base(f)))
		if err := os.WriteFile(files[len(files)-1], b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, files
}

func TestSystemdUnderstandsTheUnits(t *testing.T) {
	_, files := units(t)
	if out, ok, err := systemdAnalyze(t, append([]string{"verify", "--man=no"}, files...)...); ok && (err != nil || out != "") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestServiceMayDoLittle(t *testing.T) {
	_, files := units(t)
	out, ok, err := systemdAnalyze(t, "security", "--offline=true", "--threshold=20", "--no-pager", files[0])
	if ok && err != nil {
		t.Errorf("the exposure is above 2.0: %v\n%s", err, out)
	}
}

func TestServiceLeavesMemoryToTheMachine(t *testing.T) {
	unit, err := os.ReadFile("systemd/landfall.service")
	if err != nil {
		t.Fatal(err)
	}
	share := -1
	for line := range strings.Lines(string(unit)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "MemoryMax" {
			if share, err = strconv.Atoi(strings.TrimSuffix(value, "%")); err != nil || !strings.HasSuffix(value, "%") {
				t.Errorf("%s: not a share of the machine's memory", line)
			}
		}
		if key == "MemoryHigh" || strings.Contains(value, "GOMEMLIMIT") {
			t.Errorf("%s: see what the unit says of it", line)
		}
	}
	if share < 50 || share > 90 {
		t.Errorf("the node may take %d %% of the memory", share)
	}
}

// TestPackagesFromElsewhereAreChecked runs the tasks that lead to a download,
// for servers that have different variables, where there is Ansible.
func TestPackagesFromElsewhereAreChecked(t *testing.T) {
	if testing.Short() {
		t.Skip("Ansible takes its time")
	}
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	arch := runtime.GOARCH // as dpkg names the two that packages are made for
	good := map[string]bool{"checked": true, "unchecked": true}
	out, known := playbook(t, map[string]any{
		"checked":   map[string]string{arch: sum},
		"unchecked": map[string]string{arch: "none"},
		"none":      map[string]string{},
		"another":   map[string]string{"riscv64": sum},
		"short":     map[string]string{arch: sum[1:]},
		"long":      map[string]string{arch: sum + "0"},
		"no_digits": map[string]string{arch: strings.ToUpper(sum)},
	})
	if !known {
		return
	}
	_, recap, _ := strings.Cut(out, "PLAY RECAP")
	hosts := 0
	for line := range strings.Lines(recap) {
		host, result, ok := strings.Cut(line, ":")
		if host = strings.TrimSpace(host); !ok {
			continue
		}
		if hosts++; strings.Contains(result, "failed=0") != good[host] {
			t.Errorf("%s:%s", host, result)
		}
	}
	if hosts != 7 || t.Failed() {
		t.Errorf("%d servers\n%s", hosts, out)
	}
}

// playbook runs the tasks of install.yml up to the one that fetches, on hosts
// by their checksums.
func playbook(t *testing.T, sums map[string]any) (out string, known bool) {
	t.Helper()
	program, err := exec.LookPath("ansible-playbook")
	if err != nil {
		t.Log(err)
		return "", false
	}
	b, err := os.ReadFile("ansible/roles/landfall/tasks/install.yml")
	if err != nil {
		t.Fatal(err)
	}
	tasks, _, found := strings.Cut(string(b), "- name: Fetch the package")
	if !found {
		t.Fatal("install.yml fetches no package")
	}
	hosts := map[string]any{}
	for name, sum := range sums {
		hosts[name] = map[string]any{"landfall_package_sha256": sum}
	}
	inventory, err := yaml.Marshal(map[string]any{"all": map[string]any{"hosts": hosts, "vars": map[string]string{
		"ansible_connection": "local", "landfall_package": "https://packages.example/landfall_{arch}.deb?x=1",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var play strings.Builder
	play.WriteString("- hosts: all\n  gather_facts: false\n  tasks:\n")
	for line := range strings.Lines(strings.TrimPrefix(tasks, "---\n")) {
		play.WriteString("    " + line)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"play.yml": play.String(), "hosts.yml": string(inventory)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, "-f", "2", "-i", filepath.Join(dir, "hosts.yml"), filepath.Join(dir, "play.yml"))
	cmd.Env = append(os.Environ(), "ANSIBLE_HOME="+dir, "ANSIBLE_NOCOLOR=1")
	text, _ := cmd.CombinedOutput() // that some hosts fail is what we want to see
	return string(text), true
}

// TestMaintainerScriptsKeepTheSigningKey runs postrm on directories of ours.
func TestMaintainerScriptsKeepTheSigningKey(t *testing.T) {
	script, err := os.ReadFile("deb/postrm")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		action string
		home   bool
		kept   bool
	}{
		"edge removed": {"remove", false, true},
		"edge purged":  {"purge", false, false},
		"home purged":  {"purge", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			state := filepath.Join(root, "var/lib/landfall")
			if err := os.MkdirAll(filepath.Join(state, map[bool]string{true: "control", false: "maps"}[test.home]), 0o700); err != nil {
				t.Fatal(err)
			}
			ours := strings.NewReplacer("/var/lib/", root+"/var/lib/", "/etc/", root+"/etc/", "/run/", root+"/run/").Replace(string(script))
			cmd := exec.CommandContext(t.Context(), "sh", "-s", test.action)
			cmd.Stdin = strings.NewReader(ours)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if _, err := os.Stat(state); (err == nil) != test.kept {
				t.Errorf("state kept: %v, want %v\n%s", err == nil, test.kept, out)
			}
			if said := strings.Contains(string(out), "signing key"); said != (test.home && test.action == "purge") {
				t.Errorf("the script says %q", out)
			}
		})
	}
}

func TestYAMLIsWellFormed(t *testing.T) {
	files := []string{"nfpm.yaml"}
	err := filepath.WalkDir("ansible", func(p string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(p, ".yml") {
			files = append(files, p)
		}
		return err
	})
	if err != nil || len(files) < 8 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := yaml.Unmarshal(b, &doc); err != nil || doc == nil {
			t.Errorf("%s: %v %v", f, doc, err)
		}
	}
}

// TestTokensAreNeverShown: no_log is on every task that sees the invitation.
func TestTokensAreNeverShown(t *testing.T) {
	b, err := os.ReadFile("ansible/roles/landfall/tasks/join.yml")
	if err != nil {
		t.Fatal(err)
	}
	type task struct {
		Name  string         `yaml:"name"`
		NoLog bool           `yaml:"no_log"`
		Block []task         `yaml:"block"`
		Rest  map[string]any `yaml:",inline"`
	}
	var tasks []task
	if err := yaml.Unmarshal(b, &tasks); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for i := 0; i < len(tasks); i++ {
		tasks = append(tasks, tasks[i].Block...)
		text, err := yaml.Marshal(tasks[i].Rest)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "landfall_invitation\n") && !strings.Contains(string(text), "landfall_invitation.") {
			continue
		}
		if seen++; !tasks[i].NoLog {
			t.Errorf("task %q shows the token", tasks[i].Name)
		}
	}
	if seen != 2 {
		t.Errorf("%d tasks see the token, want the one that asks and the one that hands it over", seen)
	}
}

// contents is what the package must hold, as dpkg-deb lists it.
var contents = []string{
	"-rwxr-xr-x root/root ./usr/bin/landfall",
	"-rw-r--r-- root/root ./usr/lib/systemd/system/landfall.service",
	"-rw-r--r-- root/root ./usr/lib/sysusers.d/landfall.conf",
	"-rw-r--r-- root/root ./usr/lib/tmpfiles.d/landfall.conf",
	"-rw-r--r-- root/root ./usr/lib/sysctl.d/10-landfall.conf",
	"-rw-r--r-- root/root ./usr/share/man/man1/landfall.1.gz",
	"-rw-r--r-- root/root ./usr/share/man/man1/landfall-edge-serve.1.gz",
	"-rw-r--r-- root/root ./usr/share/bash-completion/completions/landfall",
	"-rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_landfall",
	"-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/landfall.fish",
	"-rw-r--r-- root/root ./usr/share/doc/landfall/copyright",
	"-rw-r--r-- root/root ./usr/share/doc/landfall/changelog.gz",
	"-rw-r--r-- root/root ./usr/share/doc/landfall/third-party.gz",
}

func TestPackageIsCompleteAndAlwaysTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program three times")
	}
	first, second := t.TempDir(), t.TempDir()
	build(t, first, "amd64 arm64")
	build(t, second, runtime.GOARCH)
	for _, arch := range []string{"amd64", "arm64"} {
		deb := filepath.Join(first, "landfall_1.2.3_"+arch+".deb")
		if got := dpkg(t, "--field", deb, "Package", "Version", "Architecture"); got != "Package: landfall\nVersion: 1.2.3\nArchitecture: "+arch+"\n" {
			t.Errorf("%s says of itself:\n%s", deb, got)
		}
		var list []string
		for line := range strings.Lines(dpkg(t, "--contents", deb)) {
			w := strings.Fields(line) // mode, owner, size, date, time, name
			list = append(list, w[0]+" "+w[1]+" "+w[5])
		}
		for _, want := range contents {
			if !slices.Contains(list, want) {
				t.Errorf("%s lacks %s", deb, want)
			}
		}
	}
	name := "landfall_1.2.3_" + runtime.GOARCH + ".deb"
	a, err := os.ReadFile(filepath.Join(first, name))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(second, name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s is another one the second time", name)
	}
}

func build(t *testing.T, out, arches string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "./build.sh")
	cmd.Env = append(os.Environ(), "OUT="+out, "VERSION=1.2.3", "ARCHES="+arches,
		"MAINTAINER=Test <test@example.invalid>", "SOURCE_DATE_EPOCH=1790000000")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
}

func dpkg(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "dpkg-deb", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("dpkg-deb %v: %v\n%s", args, err, out)
	}
	return string(out)
}
