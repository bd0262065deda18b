package day

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"landfall/mesh/wan/wantest"
)

// Spec is a day to be lived through by a test in another process.
type Spec struct {
	Seed   uint64
	Length time.Duration
}

// By these a test learns which day it is; by the mark its result is found.
const (
	seedKey   = "LANDFALL_DAY_SEED"
	lengthKey = "LANDFALL_DAY_LENGTH"
	mark      = "landfall day: "
)

// Asked is the day that a test has been asked for by Spec.Test; ok is false
// if it runs for itself.
func Asked() (s Spec, ok bool, err error) {
	seed, length := os.Getenv(seedKey), os.Getenv(lengthKey)
	if seed == "" && length == "" {
		return Spec{}, false, nil
	}
	if s.Seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
		return Spec{}, false, fmt.Errorf("%s: %w", seedKey, err)
	}
	if s.Length, err = time.ParseDuration(length); err != nil {
		return Spec{}, false, fmt.Errorf("%s: %w", lengthKey, err)
	}
	return s, true, nil
}

// Report is how such a test answers: on standard output.
func Report(w io.Writer, r Result) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%s%s\n", mark, b)
	return err
}

// Test has a test of a program live through the day, and reads its report.
func (s Spec) Test(ctx context.Context, p *wantest.Program, test string) (Result, error) {
	out, err := p.Run(ctx, test, fmt.Sprint(seedKey, "=", s.Seed), fmt.Sprint(lengthKey, "=", s.Length))
	if err != nil {
		return Result{}, err
	}
	r, err := parse(out.Text)
	r.Took, r.CPU = out.Took, out.CPU
	return r, err
}

// parse finds a report in what a test printed.
func parse(out []byte) (r Result, err error) {
	_, line, found := bytes.Cut(out, []byte("\n"+mark))
	if !found {
		return Result{}, fmt.Errorf("no report of a day in %d bytes of output", len(out))
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	if err := json.Unmarshal(line, &r); err != nil {
		return Result{}, fmt.Errorf("report of a day: %w", err)
	}
	return r, nil
}
