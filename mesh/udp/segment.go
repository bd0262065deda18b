package udp

import "strings"

const (
	// maxSegments is into how many datagrams every kernel that can splits one
	// message (UDP_MAX_SEGMENTS; newer ones take more).
	maxSegments = 64
	// maxPayload is what a message over IPv4 has room for, and one over IPv6
	// all the more: 65535 without the headers of IP and UDP.
	maxPayload = 65507
	// bigBuffer is room for the longest message, joined or not.
	bigBuffer = 1<<16 - 1
)

// run is how many of the first of bufs one message carries that the kernel
// splits: all of one size but the last, which may be shorter.
func run(bufs [][]byte) int {
	size, total := len(bufs[0]), 0
	if size == 0 {
		return 1
	}
	for i, b := range bufs[:min(len(bufs), maxSegments)] {
		if len(b) == 0 || len(b) > size || total+len(b) > maxPayload {
			return max(i, 1)
		}
		if total += len(b); len(b) < size {
			return i + 1
		}
	}
	return min(len(bufs), maxSegments)
}

// mangles reports whether a release of Linux, as uname tells it, spoils what
// it splits: 7.0 to 7.1.4 write wrong UDP lengths and checksums for a run
// whose last datagram is as long as the others. Which devices show it cannot
// be told from here.
func mangles(release string) bool {
	v := version(release)
	return v[0] == 7 && (v[1] == 0 || v[1] == 1 && v[2] <= 4)
}

// version is the first three numbers of a release, 0 for what is missing. What
// a distribution adds ("-rc2", "-6-pve", "+") ends it.
func version(release string) (v [3]int) {
	end := strings.IndexFunc(release, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end >= 0 {
		release = release[:end]
	}
	for i, s := range strings.SplitN(release, ".", 4)[:min(3, 1+strings.Count(release, "."))] {
		for _, digit := range s[:min(len(s), 9)] {
			v[i] = 10*v[i] + int(digit-'0')
		}
	}
	return v
}
