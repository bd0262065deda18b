// Package geofetch keeps geographic databases fresh: a provider, editions and
// a directory go in, files in the MaxMind DB format come out, each whole at any
// moment, which a locate.File follows.
//
// What is fetched replaces the file in use only if
//
//   - it is what the provider sent (SHA-256 where that is published), of the
//     edition that was asked for, and no larger than it may be;
//   - locate can load it, which verifies all of it;
//   - the world did not move: no more than MaxMove of the known address space
//     is elsewhere, of IPv4 and of IPv6, and the table did not shrink by half.
//     Force skips this.
//
// Otherwise the old file stays and the error says why. Of older files nothing
// is kept: MaxMind's licence demands that they are deleted within 30 days. For
// DB-IP's free databases (CC BY 4.0) a public page has to say "IP Geolocation
// by DB-IP" with a link to https://db-ip.com.
//
// Requests are few: a provider is asked once in Every whether there is
// something new (RFC 9110, 13.1), after failures at doubling intervals. The
// licence key goes to the provider's own host alone, over TLS, and nowhere
// else: not to a host that a redirect names, not into an error or log.
//
// The package does not load databases into the running server.
package geofetch
