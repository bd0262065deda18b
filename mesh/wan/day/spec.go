package day

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"landfall/mesh/wan"
	"landfall/mesh/wan/wantest"
)

// Spec says which day it is.
type Spec struct {
	Seed   uint64
	Length time.Duration // of virtual time, node starts included
	Log    string        // a file for a line about each packet; "" is none
}

// By these a test learns which day it is; by the mark its result is found.
const (
	seedKey   = "LANDFALL_DAY_SEED"
	lengthKey = "LANDFALL_DAY_LENGTH"
	logKey    = "LANDFALL_DAY_LOG"
	mark      = "landfall day: "
)

// Live is the body of a test that Spec.Test can run: a day in a bubble. The
// day is the one asked for by Spec.Test, or the one that c says if the test
// runs for itself.
func Live(t *testing.T, c Config) (r Result) {
	t.Helper()
	var err error
	if c.Spec, err = c.Spec.asked(os.Getenv); err != nil {
		t.Fatal(err)
	}
	each, done, err := c.record()
	if err != nil {
		t.Fatal(err)
	}
	if each != nil {
		c.Each = each
	}
	synctest.Test(t, func(t *testing.T) {
		if r, err = Run(c); err != nil {
			t.Fatal(err)
		}
	})
	if err := done(); err != nil {
		t.Errorf("log of a day: %v", err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s%s", mark, b)
	return r
}

// Test has a test of a program live through the day, and reads its result.
func (s Spec) Test(ctx context.Context, p *wantest.Program, test string) (Result, error) {
	out, err := p.Run(ctx, test, fmt.Sprint(seedKey, "=", s.Seed), fmt.Sprint(lengthKey, "=", s.Length), logKey+"="+s.Log)
	if err != nil {
		return Result{}, err
	}
	r, err := parse(out.Text)
	r.Took, r.CPU = out.Took, out.CPU
	return r, err
}

// asked is the day that the environment asks for, or s.
func (s Spec) asked(env func(string) string) (Spec, error) {
	seed, length := env(seedKey), env(lengthKey)
	if seed == "" && length == "" {
		return s, nil
	}
	var err error
	if s.Seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", seedKey, err)
	}
	if s.Length, err = time.ParseDuration(length); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", lengthKey, err)
	}
	s.Log = env(logKey)
	return s, nil
}

// record is told of each packet and writes the log, if there is to be one.
func (s Spec) record() (each func(wan.Record), done func() error, err error) {
	if s.Log == "" {
		return nil, func() error { return nil }, nil
	}
	f, err := os.Create(s.Log)
	if err != nil {
		return nil, nil, fmt.Errorf("log of a day: %w", err)
	}
	w := bufio.NewWriter(f)
	each = func(r wan.Record) {
		fmt.Fprintf(w, "%d %v %v %.2x %d %d\n", r.At.Nanoseconds(), r.From, r.To, r.Bytes[:min(1, len(r.Bytes))], len(r.Bytes), r.TOS)
	}
	return each, func() error {
		if err := w.Flush(); err != nil {
			return err
		}
		return f.Close()
	}, nil
}

// parse finds the result in what a test printed.
func parse(out []byte) (r Result, err error) {
	_, line, found := bytes.Cut(out, []byte(mark))
	if !found {
		return Result{}, fmt.Errorf("no result of a day in %d bytes of output", len(out))
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	if err := json.Unmarshal(line, &r); err != nil {
		return Result{}, fmt.Errorf("result of a day: %w", err)
	}
	return r, nil
}
