package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// simulations are figures that tests of the tree find, and say in their logs.
func simulations() [][3]string {
	return [][3]string{
		{"quorum: flips in simulated days of partitions", "./geodns/health", "^TestDayOfPartitions$"},
		{"measured: a simulated world to learn", "./geodns/measure", "^(TestLearnsTheWorld|TestLiarDrawsLittle)$"},
	}
}

// said is a line that a test logged.
var said = regexp.MustCompile(`^\s+\w+_test\.go:\d+: (.*)$`)

// dnsSimulations runs those tests, at full size if asked to.
func dnsSimulations(ctx context.Context, o options, table, progress io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Simulations, as the tests log them\n%s\n", machine(o.root))
	for _, s := range simulations() {
		fmt.Fprintln(progress, "go test", s[1], s[2])
		cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout", "30m", "-v", "-run", s[2], s[1])
		cmd.Dir = o.root
		if o.soak {
			cmd.Env = append(os.Environ(), "LANDFALL_SOAK=1")
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", s[1], err, out)
		}
		fmt.Fprintf(&b, "\n%s\n", s[0])
		lines := 0
		for line := range strings.Lines(string(out)) {
			if m := said.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
				fmt.Fprintln(&b, "  "+m[1])
				lines++
			}
		}
		if lines == 0 {
			return fmt.Errorf("%s %s: nothing was logged, or there is no such test", s[1], s[2])
		}
	}
	_, err := table.Write(b.Bytes())
	return err
}
