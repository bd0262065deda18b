// Package keeptest kills processes that keep state after state in a file: a
// way to save a state goes in, the file that each kill has left is handed to
// a check. What a whole file is, the check knows.
package keeptest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// where names the directory to a process that saves.
	where = "LANDFALL_KEEPTEST_DIR"
	// kept begins a line of such a process, before the number of a state.
	kept = "KEPT "
	// rounds is how many processes are killed, and soak how many in make soak.
	rounds, soak = 10, 300
)

// Kill runs the test that calls it in processes of their own, in which save
// keeps state 1, 2 and so on in dir, and kills each at a random moment. Then
// check is told the last state that was said to be kept: what is in dir is to
// be whole, and no older.
func Kill(t *testing.T, save func(dir *os.Root, state int) error, check func(dir *os.Root, said int)) {
	t.Helper()
	if path := os.Getenv(where); path != "" {
		saveForEver(path, save)
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	n := rounds
	if os.Getenv("LANDFALL_SOAK") != "" {
		n = soak
	}
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for range n {
		check(dir, round(t, dir.Name()))
	}
}

// saveForEver is the process that is killed.
func saveForEver(path string, save func(*os.Root, int) error) {
	dir, err := os.OpenRoot(path)
	for i := 1; err == nil; i++ {
		if err = save(dir, i); err == nil {
			fmt.Printf("%s%d\n", kept, i)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// round kills a process some time after the first state that it has kept, and
// returns the last.
func round(t *testing.T, dir string) (said int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), where+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	kill := func() { cmd.Process.Kill() }
	defer time.AfterFunc(time.Minute, kill).Stop() // should it never speak
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, ok := strings.CutPrefix(lines.Text(), kept)
		if !ok {
			t.Fatalf("the process says %q", lines.Text())
		}
		if said == 0 {
			defer time.AfterFunc(time.Duration(rand.IntN(50_000))*time.Microsecond, kill).Stop()
		}
		if said, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
	}
	if said == 0 {
		t.Fatal("the process kept nothing")
	}
	return said
}
