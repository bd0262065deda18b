package cookie

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"
)

// The first of the paper's test vectors: the key is 00…0f, the message 00…0e.
func TestSipHash(t *testing.T) {
	var key [16]byte
	var msg [15]byte
	for i := range key {
		key[i] = byte(i)
	}
	for i := range msg {
		msg[i] = byte(i)
	}
	if got := sipHash(key, msg[:]); got != 0xa129ca6149be45e5 {
		t.Errorf("%x", got)
	}
	if got := sipHash(key, nil); got != 0x726fdb47dd0e0e31 {
		t.Errorf("of nothing: %x", got)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The examples of RFC 9018, appendix A: a query, and what it is answered with.
func TestExamplesOfTheStandard(t *testing.T) {
	for _, tt := range []struct {
		name, secret, client string
		now                  int64
		query                string
		valid                bool
		answer               string
	}{
		{"A.1 a new client", "e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100", 1559731985,
			"2464c4abcf10c957", false, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"A.2 it comes again", "e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100", 1559734385,
			"2464c4abcf10c957010000005cf79f111f8130c3eee29480", true, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
		{"A.3 one of another server, with reserved bits", "e5e973e5a6b2a43f48e7dc849e37bfcf", "203.0.113.203", 1559734700,
			"fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", false, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"}, // it is too old
		{"A.4 an IPv6 client, the secret has changed", "445536bcd2513298075a5d379663c962", "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961,
			"22681ab97d52c298010000005cf7c57926556bd0934c72f8", false, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
		{"A.4 the secret before", "dd3bdf9344b678b185a6f5cb60fca715", "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741817,
			"22681ab97d52c298", false, "22681ab97d52c298010000005cf7c57926556bd0934c72f8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			secret, client, now := Secret(unhex(t, tt.secret)), netip.MustParseAddr(tt.client), time.Unix(tt.now, 0)
			if got := secret.Valid(unhex(t, tt.query), client, now); got != tt.valid {
				t.Errorf("valid is %v, want %v", got, tt.valid)
			}
			if got := hex.EncodeToString(secret.Append(nil, unhex(t, tt.query), client, now)); got != tt.answer {
				t.Errorf("answered with %s, want %s", got, tt.answer)
			}
		})
	}
}

func TestValidity(t *testing.T) {
	secret, client := Secret(unhex(t, "e5e973e5a6b2a43f48e7dc849e37bfcf")), netip.MustParseAddr("203.0.113.203")
	made := time.Unix(0x5cf78f71, 0)
	good := unhex(t, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5")
	for age, want := range map[time.Duration]bool{
		-301 * time.Second: false, -5 * time.Minute: true, 0: true, time.Hour: true, 3601 * time.Second: false,
	} {
		if got := secret.Valid(good, client, made.Add(age)); got != want {
			t.Errorf("%v old: valid is %v, want %v", age, got, want)
		}
	}
	for i := range good { // whatever is changed
		bad := append([]byte{}, good...)
		bad[i] ^= 1
		if secret.Valid(bad, client, made) {
			t.Errorf("valid with byte %d changed", i)
		}
	}
	if secret.Valid(good, client.Next(), made) || (Secret{}).Valid(good, client, made) || secret.Valid(good[:ClientSize], client, made) {
		t.Error("valid for another client, with another secret, or without a cookie of ours")
	}
}

// Times are of 32 bits, and wrap in 2106.
func TestTimesWrap(t *testing.T) {
	client, last := netip.MustParseAddr("2001:db8::1"), time.Unix(1<<32-1, 0)
	c := Secret{1}.Append(nil, make([]byte, ClientSize), client, last)
	if !(Secret{1}).Valid(c, client, last.Add(time.Minute)) {
		t.Error("a cookie of the last second is not valid in the next minute")
	}
}

func TestSizes(t *testing.T) {
	for size := range 50 {
		if got, want := Wellformed(make([]byte, size)), size == 8 || size >= 16 && size <= 40; got != want {
			t.Errorf("%d bytes: well-formed is %v", size, got)
		}
	}
}

// FuzzValid: only what Append made is valid, and that always is.
func FuzzValid(f *testing.F) {
	f.Add([]byte("01234567"), []byte{192, 0, 2, 1}, int64(1559731985))
	f.Add([]byte("01234567\x01\x00\x00\x00\x5c\xf7\x9f\x1101234567"), make([]byte, 16), int64(1559731985))
	f.Fuzz(func(t *testing.T, data, addr []byte, unix int64) {
		client, ok := netip.AddrFromSlice(addr)
		if !ok || !Wellformed(data) {
			return
		}
		now := time.Unix(unix, 0)
		if (Secret{1}).Valid(data, client, now) {
			t.Fatalf("%x is valid", data)
		}
		if c := (Secret{1}).Append(nil, data, client, now); len(c) != FullSize || !(Secret{1}).Valid(c, client, now) {
			t.Fatalf("our %x is not valid", c)
		}
	})
}

func BenchmarkValid(b *testing.B) {
	client, now := netip.MustParseAddr("203.0.113.203"), time.Unix(1559731985, 0)
	c := Secret{1}.Append(nil, make([]byte, ClientSize), client, now)
	for b.Loop() {
		if !(Secret{1}).Valid(c, client, now) {
			b.Fatal("not valid")
		}
	}
}

// A client keeps its cookie for half an hour, and hears a new one after that
// (RFC 9018, 4.3).
func TestCookieIsToldAgainWhileItIsFresh(t *testing.T) {
	secret, client, made := Secret{7}, netip.MustParseAddr("192.0.2.1"), time.Unix(1_000_000, 0)
	first := secret.Append(nil, []byte("12345678"), client, made)
	for _, tt := range []struct {
		age         time.Duration
		valid, same bool
	}{
		{-time.Minute, true, true}, {0, true, true}, {30 * time.Minute, true, true},
		{30*time.Minute + time.Second, true, false}, {time.Hour, true, false}, {time.Hour + time.Second, false, false},
	} {
		now := made.Add(tt.age)
		told, valid := secret.Answer(nil, first, client, now)
		if valid != tt.valid || bytes.Equal(told, first) != tt.same {
			t.Errorf("after %v: valid %v, the same %v", tt.age, valid, bytes.Equal(told, first))
		}
		if !secret.Valid(told, client, now) {
			t.Errorf("after %v: what it tells is not valid", tt.age)
		}
	}
}
