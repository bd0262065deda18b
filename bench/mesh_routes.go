package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"landfall/mesh/trial"
)

// meshRoutes has meshes find their ways in virtual time, beside an oracle
// that knows all links, and under jitter. Package trial's tests do it.
func meshRoutes(ctx context.Context, o options, table, progress io.Writer) error {
	var routes trial.Routes
	var jitter trial.Jitter
	var b bytes.Buffer
	fmt.Fprintf(&b, "Ways that meshes of random topologies choose, in virtual time\n%s\n\n", machine(o.root))
	heading(&b, "trial", "took, s", "its verdict")
	for _, t := range []struct {
		test, name string
		rounds     int
		result     any
	}{{"TestRoutes", "routes", o.topologies, &routes}, {"TestJitter", "jitter", o.jitter, &jitter}} {
		fmt.Fprintf(progress, "%s: %d\n", t.test, t.rounds)
		took, verdict, err := onTrial(ctx, o.root, t.test, t.name, t.rounds, t.result)
		if err != nil {
			return err
		}
		cells(&b, fmt.Sprintf("%s, %d", t.test, t.rounds), fmt.Sprintf("%.0f", took.Seconds()), verdict)
	}
	fmt.Fprintln(&b)
	writeRoutes(&b, routes, jitter)
	_, err := table.Write(b.Bytes())
	return err
}

// onTrial runs a test of package trial and reads its result. The test has an
// opinion, which is told beside the figures.
func onTrial(ctx context.Context, root, test, name string, rounds int, result any) (took time.Duration, verdict string, err error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=0", "-v", "-run=^"+test+"$", "./mesh/trial")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), trial.Rounds+"="+strconv.Itoa(rounds))
	start := time.Now()
	out, err := cmd.CombinedOutput()
	verdict = "passed"
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		verdict, err = "failed", nil
	}
	if err == nil {
		err = trial.Find(out, name, result)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", test, err, out)
	}
	return time.Since(start), verdict, err
}

func writeRoutes(b *bytes.Buffer, r trial.Routes, j trial.Jitter) {
	var found, stretch, detours, followed sample
	never := 0
	for _, t := range r.Topologies {
		if t.Found == 0 {
			never++
		} else {
			found.add(t.Found.Seconds())
		}
		stretch.add((t.Stretch - 1) * 100)
		detours.add(t.Detours * 100)
		if t.Changed > 0 && t.Followed > 0 {
			followed.add(t.Followed.Seconds())
		}
	}
	fmt.Fprintf(b, "%d topologies of %d nodes; in the median %.0f %% of pairs (smallest – largest: %s) are better off by a third node.\n"+
		"Found is from the start of the last node until every way in use is within 3 %% of the oracle's; stretch is the worst pair's, ten seconds after.\n\n",
		len(r.Topologies), r.Nodes, detours.median(), spread(detours, 0))
	heading(b, "", "median", "p99", "worst", "wanted")
	for _, row := range []struct {
		name string
		of   sample
		aim  string
	}{{"found, s", found, "at most 2"}, {"worst pair above the oracle, %", stretch, "at most 3"}, {"found again after cables changed, s", followed, ""}} {
		sorted := slices.Sorted(slices.Values(row.of))
		if len(sorted) == 0 {
			continue
		}
		_, worst := row.of.ends()
		cells(b, row.name, fmt.Sprintf("%.2f", row.of.median()), fmt.Sprintf("%.2f", sorted[len(sorted)*99/100]), fmt.Sprintf("%.2f", worst), row.aim)
	}
	fmt.Fprintln(b)
	heading(b, "aim", "measured", "wanted")
	cells(b, "topologies not found within ten seconds", fmt.Sprint(never), "0")
	cells(b, fmt.Sprintf("%v of 20 %% jitter, %d pairs: pairs that switched more than once in 30 s", j.Lasted, j.Pairs), fmt.Sprint(j.Windows), "0")
	cells(b, "switches of all pairs in that time", fmt.Sprint(j.Switches), "")
}
