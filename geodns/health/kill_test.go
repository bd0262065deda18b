package health

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"landfall"
)

// A name server is killed again and again while it keeps what it knows. What it
// finds afterwards is what it kept last or next to last, and whole.
func TestMemoryOutlivesAKill(t *testing.T) {
	if dir := os.Getenv("HEALTH_TEST_DIR"); dir != "" {
		rememberForEver(dir)
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	rounds := 8
	if os.Getenv("LANDFALL_SOAK") != "" {
		rounds = 300
	}
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for range rounds {
		kept := killedWhileItKeeps(t, dir)
		r, err := load(root, time.Now())
		if err != nil || r == nil {
			t.Fatalf("after a kill: %v, %v", r, err)
		}
		if n := len(r.Nodes); n != 2000 {
			t.Fatalf("%d nodes", n)
		}
		if found := int(r.Nodes["n0"].Penalty.When.Unix()); found != kept && found != kept+1 {
			t.Fatalf("found what was kept as number %d, not %d or the next", found, kept)
		}
	}
}

// killedWhileItKeeps lets a process keep things until it is killed, and tells
// the number of what it kept last.
func killedWhileItKeeps(t *testing.T, dir string) (last int) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestMemoryOutlivesAKill$")
	c.Env = append(os.Environ(), "HEALTH_TEST_DIR="+dir)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	s, after := bufio.NewScanner(out), time.Duration(rand.IntN(60))*time.Millisecond
	for s.Scan() {
		if last == 0 {
			time.AfterFunc(after, func() { c.Process.Kill() })
		}
		if _, err := fmt.Sscan(s.Text(), &last); err != nil {
			t.Fatalf("it said %q", s.Text())
		}
	}
	if c.Wait(); last == 0 {
		t.Fatal("it kept nothing")
	}
	return last
}

// rememberForEver keeps the same for 2000 nodes, numbered by when they fell.
func rememberForEver(dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := int64(1); ; i++ {
		r := record{Version: keptVersion, When: time.Now(), Nodes: map[landfall.NodeID]remembered{}}
		for n := range 2000 {
			r.Nodes[landfall.NodeID(fmt.Sprintf("n%d", n))] = remembered{Vote: Good, Penalty: Penalty{Points: 1, When: time.Unix(i, 0)}}
		}
		if err := save(root, r); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
}
