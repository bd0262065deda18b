package wg

import (
	"bufio"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"landfall"
)

// Session is what WireGuard knows about a peer.
type Session struct {
	Handshake time.Time // last one that both confirmed; zero if none
	RxBytes   uint64    // of what was authenticated
	TxBytes   uint64
}

// Sessions tells about all peers.
func (d *Device) Sessions() map[landfall.NodeID]Session {
	text, err := d.wg.IpcGet()
	if err != nil {
		return nil // it writes to a string: it cannot fail
	}
	out := map[landfall.NodeID]Session{}
	for key, s := range parseSessions(text) {
		if p := d.peers.key(key); p != nil {
			out[p.Node] = s
		}
	}
	return out
}

// parseSessions reads WireGuard's configuration protocol.
func parseSessions(text string) map[landfall.PublicKey]Session {
	out := map[landfall.PublicKey]Session{}
	var key landfall.PublicKey
	var s Session
	var sec, nsec int64
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), "=")
		number, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "public_key":
			b, _ := hex.DecodeString(value)
			copy(key[:], b)
			s, sec, nsec = Session{}, 0, 0
		case "last_handshake_time_sec":
			sec = number
		case "last_handshake_time_nsec":
			nsec = number
		case "tx_bytes":
			s.TxBytes = uint64(number)
		case "rx_bytes":
			s.RxBytes = uint64(number)
		}
		if sec != 0 || nsec != 0 {
			s.Handshake = time.Unix(sec, nsec)
		}
		if !key.IsZero() {
			out[key] = s
		}
	}
	return out
}
