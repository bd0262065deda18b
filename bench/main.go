package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	binary  string        // a built landfall; empty builds one
	root    string        // the tree
	rounds  int           // how often everything is measured
	idle    time.Duration // silence before memory is read
	results string        // where tables are kept; empty keeps none
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&o.binary, "landfall", "", "measure this `binary` instead of building one")
	fs.StringVar(&o.root, "root", "..", "the `directory` of the tree to build")
	fs.IntVar(&o.rounds, "rounds", 3, "measure everything `n` times, interleaved")
	fs.DurationVar(&o.idle, "idle", 10*time.Second, "how long it must be silent before its memory is read")
	fs.StringVar(&o.results, "results", "results", "keep the table in this `directory`; empty: keep none")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() != 1 || fs.Arg(0) != "skeleton" || o.rounds < 1 {
		return fmt.Errorf("want one measurement, skeleton, and at least one round; see -h")
	}
	var table bytes.Buffer
	if err := skeleton(ctx, o, &table, progress); err != nil {
		return err
	}
	if _, err := out.Write(table.Bytes()); err != nil {
		return err
	}
	return keep(o.results, fs.Arg(0), table.Bytes())
}

// build makes a binary as releases are made, in dir.
func build(ctx context.Context, root, dir string) (string, error) {
	bin, err := filepath.Abs(filepath.Join(dir, "landfall"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", bin, "./cmd/landfall")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build landfall: %w\n%s", err, out)
	}
	return bin, nil
}

// keep writes the table where results are kept.
func keep(dir, name string, table []byte) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, name+"-"+time.Now().UTC().Format("20060102-150405")+".txt")
	return os.WriteFile(file, table, 0o644)
}
