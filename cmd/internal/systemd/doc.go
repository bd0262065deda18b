// Package systemd talks to the service manager that started this process.
//
// How the service fares goes out: Ready, Status, Stopping, and by a Watchdog
// a sign of life as long as a health function finds nothing wrong. Sockets
// that the manager has bound come in (Inherit), by name, and are matched with
// the addresses that the node wants. Enabled and EnableNow serve the commands
// that set a node up.
//
// Without systemd all of it does nothing and fails at nothing: the same
// program runs by hand, in a container, or under another manager. The package
// is the only one that imports go-systemd, and it never speaks D-Bus.
package systemd
