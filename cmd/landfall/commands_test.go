package main

import (
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// awaitTimeout is how long await waits; it is far above what anything takes.
const awaitTimeout = time.Minute

// await waits until a file has a line that matches: await FILE REGEXP.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE REGEXP")
	}
	re := lineRegexp(ts, args[1])
	deadline := time.Now().Add(awaitTimeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		// Not there yet is as good as empty.
		said, _ := os.ReadFile(ts.MkAbs(args[0]))
		if re.Match(said) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s never says %q:\n%s", args[0], args[1], said)
		}
		<-tick.C
	}
}

// typed runs the line of a file that matches, as a user would who copies it
// into a shell: typed FILE REGEXP. Its output is there for stdout and stderr.
func typed(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] typed FILE REGEXP")
	}
	line := lineRegexp(ts, args[1]).FindString(ts.ReadFile(args[0]))
	if line == "" {
		ts.Fatalf("%s has no line with %q", args[0], args[1])
	}
	err := ts.Exec("sh", "-c", strings.TrimSpace(line))
	if failed := err != nil; failed != neg {
		ts.Fatalf("%s: %v", strings.TrimSpace(line), err)
	}
}

// capture keeps the first group of a regular expression in a file as a
// variable: capture NAME FILE REGEXP.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture NAME FILE REGEXP")
	}
	re, err := regexp.Compile(args[2])
	ts.Check(err)
	found := re.FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) != 2 {
		ts.Fatalf("%s has nothing like %q:\n%s", args[1], args[2], ts.ReadFile(args[1]))
	}
	ts.Setenv(args[0], found[1])
}

func lineRegexp(ts *testscript.TestScript, s string) *regexp.Regexp {
	re, err := regexp.Compile("(?m)^.*(?:" + s + ").*$")
	ts.Check(err)
	return re
}
