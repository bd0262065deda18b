package wantest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const upstream = "golang.zx2c4.com/wireguard"

// Program is the tests of a package, built against the copy.
type Program struct {
	dir    string // temporary; all that was made is in it
	source string // the package's folder, where its tests run
}

// Build makes a Program of the tests of a package, such as
// "landfall/mesh/wan/day". Dir is any folder of our module. The program's
// Close removes all that was made.
func Build(ctx context.Context, dir, pkg string) (*Program, error) {
	temp, err := os.MkdirTemp("", "landfall-wantest-")
	if err != nil {
		return nil, fmt.Errorf("tests of %s: %w", pkg, err)
	}
	p := &Program{dir: temp}
	if err := p.build(ctx, dir, pkg); err != nil {
		return nil, errors.Join(fmt.Errorf("tests of %s: %w", pkg, err), p.Close())
	}
	return p, nil
}

// Close removes the program.
func (p *Program) Close() error { return os.RemoveAll(p.dir) }

// Output is what a test printed, and what it cost.
type Output struct {
	Text []byte
	Took time.Duration
	CPU  time.Duration // of the whole process
}

// Run runs one test, with what env adds to the environment. It is an error if
// the test fails or does not exist.
func (p *Program) Run(ctx context.Context, test string, env ...string) (Output, error) {
	c := exec.CommandContext(ctx, p.file("tests"), "-test.run=^"+test+"$", "-test.v", "-test.timeout=0")
	c.Dir = p.source
	c.Env = append(os.Environ(), env...)
	start := time.Now()
	text, err := c.CombinedOutput()
	out := Output{Text: text, Took: time.Since(start)}
	if s := c.ProcessState; s != nil {
		out.CPU = s.UserTime() + s.SystemTime()
	}
	switch {
	case err != nil:
		return out, fmt.Errorf("%s: %w\n%s", test, err, text)
	case !bytes.Contains(text, []byte("--- PASS: "+test+" ")):
		return out, fmt.Errorf("%s: no such test\n%s", test, text)
	}
	return out, nil
}

func (p *Program) file(name string) string { return filepath.Join(p.dir, name) }

func (p *Program) build(ctx context.Context, dir, pkg string) error {
	module, err := command(ctx, dir, "list", "-m", "-f", "{{.GoMod}}", "landfall")
	if err != nil {
		return err
	}
	root := filepath.Dir(module)
	if p.source, err = command(ctx, root, "list", "-f", "{{.Dir}}", pkg); err != nil {
		return err
	}
	from, err := command(ctx, root, "list", "-m", "-f", "{{.Dir}}", upstream)
	if err != nil {
		return err
	}
	if err := copyEven(from, p.file("wireguard")); err != nil {
		return err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err == nil {
			err = os.WriteFile(p.file(name), b, 0o644)
		}
		if err != nil {
			return err
		}
	}
	if _, err := command(ctx, root, "mod", "edit", "-replace="+upstream+"="+p.file("wireguard"), p.file("go.mod")); err != nil {
		return err
	}
	_, err = command(ctx, root, "test", "-c", "-trimpath", "-vet=off", "-modfile="+p.file("go.mod"), "-o", p.file("tests"), pkg)
	return err
}

// command is what the go command says.
func command(ctx context.Context, dir string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}
