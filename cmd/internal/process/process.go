// Package process guards what a process holds in memory. Nothing goes in; the
// kernel keeps to it from then on.
//
// It hides nothing from root, and nothing that was swapped out.
package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Undumpable sees to it that no core dump of this process is made, and that
// other processes of its user can neither trace it nor read its memory: it
// holds private keys. Call it before they are read. Programs that it starts
// begin as dumpable as any.
//
// A limit of zero for cores (LimitCORE=0) does not do: where the kernel hands
// dumps to a program, as systemd-coredump and apport have it do, it heeds no
// limit (core(5)). The flag it heeds always (prctl(2), PR_SET_DUMPABLE).
//
// The flag makes root the owner of the files in /proc/PID (proc(5)). A process
// reads its own as before, whoever it runs as; it cannot write to those that
// only their owner writes to, such as oom_score_adj, unless it is root.
func Undumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbidding core dumps of this process: %w", err)
	}
	return nil
}
