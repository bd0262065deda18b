package cookie

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"
)

// Secrets are those of a server while one takes the place of another (RFC
// 9018, 5): cookies are made with the first, and are good if any made them.
type Secrets []Secret

// Answer is Secret.Answer by the first secret. A cookie that another made is
// good, and its client is told one by the first.
func (s Secrets) Answer(b, data []byte, client netip.Addr, now time.Time) (told []byte, valid bool) {
	told, valid = s[0].Answer(b, data, client, now)
	for i := 1; i < len(s) && !valid; i++ {
		valid = s[i].Valid(data, client, now)
	}
	return told, valid
}

// Turn is how long a derived secret makes cookies.
const Turn = 24 * time.Hour

// Derive makes the secrets that a root stands for at a moment: those of this
// day, of the one before, whose cookies are about, and of the next, which a
// server whose clock is ahead has begun already. All who know the root derive
// the same; none of the secrets tells anything of it, or of another.
func Derive(root []byte, now time.Time) Secrets {
	day := now.Unix() / int64(Turn/time.Second)
	return Secrets{derive(root, day), derive(root, day-1), derive(root, day+1)}
}

func derive(root []byte, day int64) (s Secret) {
	mac := hmac.New(sha256.New, root)
	mac.Write([]byte("landfall dns cookie"))
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(day)))
	copy(s[:], mac.Sum(nil))
	return s
}
