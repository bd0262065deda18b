package netlab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Door is how another process comes onto a host.
type Door struct {
	Namespaces string   `json:"namespaces"` // the folder of their files, below /proc
	Dir        string   `json:"dir"`        // where programs start
	Env        []string `json:"env"`
}

// Doors are those of all hosts, by name. They lead somewhere as long as the
// lab is open.
func (l *Lab) Doors() map[string]Door {
	out := map[string]Door{}
	for name, h := range l.hosts {
		out[name] = Door{Namespaces: fmt.Sprintf("/proc/%d/task/%d/ns", os.Getpid(), h.room.tid), Dir: h.Home(), Env: h.environ()}
	}
	return out
}

// Exec makes the calling process a program on the host, in place of what it
// is; without arguments, a shell. It returns only if that fails, and then
// leaves its thread to die.
func (d Door) Exec(args []string) error {
	runtime.LockOSThread()
	// Threads share what setns(2) wants for itself.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("enter host: %w", err)
	}
	for name, kind := range map[string]int{"net": unix.CLONE_NEWNET, "uts": unix.CLONE_NEWUTS, "mnt": unix.CLONE_NEWNS} {
		f, err := os.Open(d.Namespaces + "/" + name)
		if err != nil {
			return fmt.Errorf("enter host: %w", err)
		}
		err = unix.Setns(int(f.Fd()), kind)
		f.Close()
		if err != nil {
			return fmt.Errorf("enter host: %s namespace: %w", name, err)
		}
	}
	if err := os.Chdir(d.Dir); err != nil {
		return fmt.Errorf("enter host: %w", err)
	}
	env := d.Env
	for _, name := range []string{"TERM", "COLORTERM"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	if len(args) == 0 {
		args = []string{"sh"}
		if _, err := exec.LookPath("bash"); err == nil {
			args = []string{"bash", "--norc"}
		}
	}
	file, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return &os.PathError{Op: "run", Path: file, Err: syscall.Exec(file, args, env)}
}
