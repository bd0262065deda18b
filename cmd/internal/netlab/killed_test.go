package netlab

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// childDir makes the test binary a process that opens a lab in the directory
// it names, starts programs, says so, and waits to be killed.
const childDir = "LAB_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := child(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(dir string) error {
	l, err := Open(context.Background(), config(dir))
	if err != nil {
		return err
	}
	for _, name := range []string{"fra1", "nyc1", "sin1"} {
		p, err := l.Host(name).Start(Program{Args: []string{"sh", "-c", "trap '' TERM INT HUP; exec sleep 600"}})
		if err != nil {
			return err
		}
		fmt.Println(filepath.Join("/proc", fmt.Sprint(p.PID()), "ns", "net"))
	}
	fmt.Println("ready")
	select {}
}

// A lab whose process is killed leaves no program and no namespace behind.
func TestLabOfAKilledProcessIsGone(t *testing.T) {
	if testing.Short() {
		t.Skip("namespaces take root and Debian packages; make test has both")
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childDir+"="+t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	homes := map[string]string{} // namespace by process
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		ns, err := os.Readlink(lines.Text())
		if err != nil {
			t.Error(err)
		}
		homes[lines.Text()] = ns
	}
	cmd.Process.Kill()
	cmd.Wait()
	if len(homes) != 3 {
		t.Fatalf("the child started %d programs", len(homes))
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
		left := inhabited(t, homes)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there: %s", strings.Join(left, ", "))
		}
	}
}

// inhabited are the threads that are in one of some network namespaces.
func inhabited(t *testing.T, homes map[string]string) (left []string) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		ns, err := os.Readlink(task)
		for _, home := range homes {
			if err == nil && ns == home {
				left = append(left, task)
			}
		}
	}
	return left
}
