package systemd

import (
	"fmt"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready tells the manager that the service serves; status is the line that
// `systemctl status` shows.
func Ready(status string) error {
	return notify(daemon.SdNotifyReady, statusLine(status))
}

// Status replaces the line that `systemctl status` shows.
func Status(status string) error { return notify(statusLine(status)) }

// Stopping tells the manager that the service has begun to stop.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

// MainPID tells the manager that another process, which this one has started,
// is the service from now on.
func MainPID(pid int) error { return notify(fmt.Sprintf("MAINPID=%d", pid)) }

// notify sends one datagram; without $NOTIFY_SOCKET it does nothing.
func notify(assignments ...string) error {
	if _, err := daemon.SdNotify(false, strings.Join(assignments, "\n")); err != nil {
		return fmt.Errorf("telling the service manager ($NOTIFY_SOCKET): %w", err)
	}
	return nil
}

// statusLine makes one assignment of any text: a line break would begin the
// next.
func statusLine(status string) string {
	return "STATUS=" + strings.Join(strings.FieldsFunc(status, func(r rune) bool { return r < ' ' }), " ")
}
