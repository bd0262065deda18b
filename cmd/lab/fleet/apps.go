package fleet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"landfall/cmd/lab"
)

// Apps are the example applications of the documentation, built.
type Apps struct {
	dir     string
	running map[string]*lab.Process
}

// BuildApps builds them into a folder, from the tree's docs/examples. It takes
// Go and npm, and the package registries of both.
func BuildApps(ctx context.Context, tree, dir string) (*Apps, error) {
	examples := filepath.Join(tree, "docs", "examples")
	for _, name := range []string{"go", "tcp"} {
		if err := build(ctx, filepath.Join(examples, name), "go", "build", "-o", filepath.Join(dir, name+"-app"), "."); err != nil {
			return nil, err
		}
	}
	node := filepath.Join(dir, "node-app")
	if err := os.CopyFS(node, os.DirFS(filepath.Join(examples, "node"))); err != nil {
		return nil, err
	}
	return &Apps{dir, map[string]*lab.Process{}}, build(ctx, node, "npm", "install", "--no-audit", "--no-fund")
}

func build(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s in %s: %w\n%s", args[0], dir, err, out)
	}
	return nil
}

// Start starts them at home: the one in Node at port 3000, the one in Go at
// 3001, and the one that speaks plain TCP at 4000.
func (a *Apps) Start(f *Fleet) error {
	for _, name := range []string{"node", "go", "tcp"} {
		if err := a.Run(f, name); err != nil {
			return err
		}
	}
	return nil
}

// Run starts one of them.
func (a *Apps) Run(f *Fleet, name string) error {
	p := map[string]lab.Program{
		"node": {Args: []string{"node", "server.js"}, Dir: filepath.Join(a.dir, "node-app"), Env: []string{"PORT=3000"}},
		"go":   {Args: []string{filepath.Join(a.dir, "go-app")}, Env: []string{"PORT=3001"}},
		"tcp":  {Args: []string{filepath.Join(a.dir, "tcp-app")}, Env: []string{"PORT=4000"}},
	}[name]
	p.Name = name
	started, err := f.On(Home).Start(p)
	if err == nil {
		a.running[name] = started
	}
	return err
}

// Stop stops one of them.
func (a *Apps) Stop(name string) error { return a.running[name].Stop() }
