module landfall

go 1.26.0

require (
	// What a service and systemd say to each other: readiness, watchdog, sockets.
	github.com/coreos/go-systemd/v22 v22.7.0
	// WebSockets at the origin: the field's most used implementation, complete in RFC 6455.
	github.com/gorilla/websocket v1.5.3
	// Writes the coarse geographic database of `landfall dev`, and test databases, in the real format.
	github.com/maxmind/mmdbwriter v1.2.0
	// DNS messages, master file syntax, every record type, and DNSSEC later.
	github.com/miekg/dns v1.1.73
	// The record types of MaxMind's databases.
	github.com/oschwald/geoip2-golang/v2 v2.5.0
	// Walks a database once, at load, which geoip2-golang does not offer.
	github.com/oschwald/maxminddb-golang/v2 v2.9.0
	// TOML with the position of every key, so that faults can be underlined.
	github.com/pelletier/go-toml/v2 v2.4.3
	// Tests only: scripts that type what an operator would type.
	github.com/rogpeppe/go-internal v1.16.0
	// The command line: help, suggestions, completions, man pages.
	github.com/spf13/cobra v1.10.2
	// The flags of cobra's commands.
	github.com/spf13/pflag v1.0.9
	// Tests only: reads the YAML that is written for cloud-init and Ansible.
	go.yaml.in/yaml/v3 v3.0.6
	// argon2id for passwords, BLAKE2s for probes, ACME (RFC 8555).
	golang.org/x/crypto v0.58.0
	// HTTP/2 settings, batched datagrams, and nettest.
	golang.org/x/net v0.62.0
	// Socket options and file locks that package syscall has not.
	golang.org/x/sys v0.49.0
	// WireGuard itself, in user space.
	golang.zx2c4.com/wireguard v0.0.0-20260522210424-ecfc5a8d5446
	// TCP/IP in user space, so that the mesh needs no root. The version that
	// golang.zx2c4.com/wireguard pins: newer ones need a newer go line.
	gvisor.dev/gvisor v0.0.0-20250503011706-39ed1f5ac29c
	// SQLite without cgo: the store that needs nothing installed.
	modernc.org/sqlite v1.61.1
)

require (
	github.com/BurntSushi/toml v1.4.1-0.20240526193622-a339e1f7089c // indirect
	github.com/dustin/go-humanize v1.1.0 // indirect
	github.com/google/btree v1.1.2 // indirect
	github.com/google/pprof v0.0.0-20260906184651-6331bc6350fe // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/ncruces/go-strftime v1.1.0 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	go4.org/netipx v0.0.0-20231129151722-fdeea329fbba // indirect
	golang.org/x/exp/typeparams v0.0.0-20231108232855-2478ac86f678 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/time v0.7.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
	golang.zx2c4.com/wintun v0.0.0-20230126152724-0fa3db229ce2 // indirect
	honnef.co/go/tools v0.8.2 // indirect
	modernc.org/libc v1.79.0 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
)

tool honnef.co/go/tools/cmd/staticcheck

// The tests of modernc.org/sqlite ask for a version that cannot be had everywhere.
exclude github.com/google/pprof v0.0.0-20261016150608-1facf8f91b50
