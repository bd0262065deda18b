package process

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// child is the variable that makes the test binary one of the processes below.
const child = "LANDFALL_TEST_PROCESS"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(child) {
	case "":
		os.Exit(m.Run())
	case "crash":
		err = crash()
	case "serve":
		err = serve()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// crash dies as a node does whose unit sets GOTRACEBACK=crash, where cores may
// be of any length and there is a place for one.
func crash() error {
	if err := Undumpable(); err != nil {
		return err
	}
	if err := os.Chdir("/proc/self/fd/3"); err != nil {
		return err
	}
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &l); err != nil {
		return err
	}
	l.Cur = l.Max
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &l); err != nil {
		return err
	}
	debug.SetTraceback("crash")
	panic("as intended")
}

// serve uses of /proc/self what a node uses: a socket in the directory that is
// open as descriptor 3, bound and reached by a name that is short enough. And
// another process, of the same user, tries to see into this one.
func serve() error {
	if err := Undumpable(); err != nil {
		return err
	}
	if set, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || set != 0 {
		return fmt.Errorf("dumpable is %d, %v", set, err)
	}
	l, err := net.Listen("unix", "/proc/self/fd/3/control.sock")
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := net.Dial("unix", "/proc/self/fd/3/control.sock")
	if err != nil {
		return err
	}
	c.Close()
	for _, file := range []string{"status", "cgroup", "mountinfo", "maps", "limits"} {
		if _, err := os.ReadFile("/proc/self/" + file); err != nil {
			return err
		}
	}
	out, err := exec.Command("cat", fmt.Sprintf("/proc/%d/environ", os.Getpid())).CombinedOutput()
	if os.Getuid() != 0 && (err == nil || !strings.Contains(string(out), "denied")) {
		return fmt.Errorf("another process reads ours: %v, %q", err, out)
	}
	return nil
}

// start runs the test binary as a process of a kind, with a directory of its
// own open, without the rights of root where we have them.
func start(t *testing.T, kind string) (string, *os.ProcessState) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), child+"="+kind)
	if os.Geteuid() == 0 {
		const nobody = 65534
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cmd.ExtraFiles = []*os.File{d}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState
}

func TestCrashLeavesNoCore(t *testing.T) {
	out, state := start(t, "crash")
	status := state.Sys().(syscall.WaitStatus)
	if status.Signal() != syscall.SIGABRT || !strings.Contains(out, "as intended") {
		t.Fatalf("%v:\n%s", state, out)
	}
	if status.CoreDump() {
		t.Error("the kernel dumped its memory")
	}
}

func TestUndumpableNodeUsesItsOwnFiles(t *testing.T) {
	if out, state := start(t, "serve"); !state.Success() {
		t.Errorf("%v: %s", state, out)
	}
}
