// Measurements of Landfall, apart from it: what they compare with never
// becomes a dependency of the product.
module landfall/bench

go 1.26.0

replace landfall => ..

// The certificate authority of tests and of bench/ops: Let's Encrypt's own
// for testing clients of RFC 8555. A tool here, so that nothing of it becomes
// a dependency of the product.
tool github.com/letsencrypt/pebble/v2/cmd/pebble

// The tree itself: the servers in namespaces that ops measures.
require landfall v0.0.0

// Writes the database of the worlds in which name servers are measured
// (atlas); the product only reads such files.
require github.com/maxmind/mmdbwriter v1.2.0

// The WebSockets of users, and of the application, while a path dies.
require github.com/gorilla/websocket v1.5.3

// Answers in tests of our own packet code (ecs), so that it is held against
// another's.
require github.com/miekg/dns v1.1.73

// Sockets that send and receive in batches, and cores to run on (load).
require golang.org/x/sys v0.49.0

// What the mesh is measured beside (peers), in the version that it uses.
require golang.zx2c4.com/wireguard v0.0.0-20260522210424-ecfc5a8d5446

require (
	github.com/go-jose/go-jose/v4 v4.1.4 // indirect
	github.com/google/btree v1.1.2 // indirect
	github.com/letsencrypt/challtestsrv v1.4.2 // indirect
	github.com/letsencrypt/pebble/v2 v2.10.1 // indirect
	github.com/oschwald/geoip2-golang/v2 v2.5.0 // indirect
	github.com/oschwald/maxminddb-golang/v2 v2.9.0 // indirect
	go4.org/netipx v0.0.0-20231129151722-fdeea329fbba // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/time v0.7.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
	golang.zx2c4.com/wintun v0.0.0-20230126152724-0fa3db229ce2 // indirect
	gvisor.dev/gvisor v0.0.0-20250503011706-39ed1f5ac29c // indirect
)
