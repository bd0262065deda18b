package tsig

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

var (
	noon   = time.Unix(1_800_000_000, 0)
	secret = []byte("thirty-two bytes of a shared secret")
)

func key(a Algorithm) Key {
	return Key{Name: "\x08transfer\x04test\x00", Algorithm: a, Secret: secret}
}

// signed is a query that the library has signed, and where its record begins.
func signed(t testing.TB, k Key, when time.Time) (msg []byte, at int, mac string) {
	t.Helper()
	m := new(dns.Msg).SetQuestion("landfall.test.", dns.TypeSOA)
	m.SetEdns0(1232, true)
	plain, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	m.SetTsig(k.Name.String()+".", k.Algorithm.String()+".", fudge, when.Unix())
	msg, mac, err = dns.TsigGenerate(m, base64.StdEncoding.EncodeToString(k.Secret), "", false)
	if err != nil {
		t.Fatal(err)
	}
	return msg, len(plain), mac
}

func TestSignaturesOfOthersAreUnderstood(t *testing.T) {
	for a := SHA256; a <= SHA512; a++ {
		msg, at, mac := signed(t, key(a), time.Now())
		s, ok := NewRing(key(a)).Verify(msg, at, time.Now())
		if !ok || s.Error() != 0 || s.Key() != key(a).Name {
			t.Fatalf("%s: %v, error %d", a, ok, s.Error())
		}
		// Three messages of a transfer, each signed over the one before.
		for i := range 3 {
			m := new(dns.Msg).SetQuestion("landfall.test.", dns.TypeSOA)
			m.Id, m.Response = binary.BigEndian.Uint16(msg), true
			b, _ := m.Pack()
			out := s.Sign(b, time.Now())
			if len(out) > len(b)+s.Size() {
				t.Errorf("%s: %d bytes more, Size says %d", a, len(out)-len(b), s.Size())
			}
			if err := dns.TsigVerify(slices.Clone(out), base64.StdEncoding.EncodeToString(secret), mac, i > 0); err != nil {
				t.Errorf("%s: message %d: %v", a, i, err)
			}
			got := new(dns.Msg)
			if err := got.Unpack(out); err != nil || got.IsTsig() == nil {
				t.Fatalf("%s: %v", a, err)
			}
			mac = got.IsTsig().MAC
		}
	}
}

func TestRequestsOfOursAreUnderstood(t *testing.T) {
	k := key(SHA256)
	s := k.Begin()
	plain, _ := new(dns.Msg).SetNotify("landfall.test.").Pack()
	req := s.Sign(plain, time.Now())
	if err := dns.TsigVerify(slices.Clone(req), base64.StdEncoding.EncodeToString(secret), "", false); err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(req); err != nil {
		t.Fatal(err)
	}
	answer := new(dns.Msg).SetReply(m)
	bare, _ := answer.Pack()
	answer.SetTsig(k.Name.String()+".", "hmac-sha256.", fudge, time.Now().Unix())
	out, _, err := dns.TsigGenerate(answer, base64.StdEncoding.EncodeToString(secret), m.IsTsig().MAC, false)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Answered(out, len(bare), time.Now()) {
		t.Error("a good answer is not believed")
	}
	out[2] ^= 0x01
	if s.Answered(out, len(bare), time.Now()) {
		t.Error("a forged answer is believed")
	}
}

func TestWhatIsNotBelieved(t *testing.T) {
	k := key(SHA256)
	for _, tt := range []struct {
		name string
		ring *Ring
		at   time.Time
		bend func(msg []byte, at int)
		want uint16
	}{
		{"no key of that name", NewRing(Key{Name: "\x05other\x00", Algorithm: SHA256, Secret: secret}), noon, nil, BadKey},
		{"no keys", nil, noon, nil, BadKey},
		{"another algorithm", NewRing(key(SHA512)), noon, nil, BadKey},
		{"another secret", NewRing(Key{Name: k.Name, Algorithm: SHA256, Secret: secret[1:]}), noon, nil, BadSig},
		{"another question", NewRing(k), noon, func(msg []byte, _ int) { msg[13] ^= 1 }, BadSig},
		{"another id, as a forwarder gives it", NewRing(k), noon, func(msg []byte, _ int) { msg[0] ^= 1 }, 0},
		{"a late hour", NewRing(k), noon.Add((fudge + 1) * time.Second), nil, BadTime},
		{"an early hour", NewRing(k), noon.Add(-(fudge + 1) * time.Second), nil, BadTime},
		{"just in time", NewRing(k), noon.Add(fudge * time.Second), nil, 0},
	} {
		msg, at, _ := signed(t, k, noon)
		if tt.bend != nil {
			tt.bend(msg, at)
		}
		s, ok := tt.ring.Verify(msg, at, tt.at)
		if !ok || s.Error() != tt.want {
			t.Errorf("%s: %v, error %d, want %d", tt.name, ok, s.Error(), tt.want)
			continue
		}
		answer, _ := new(dns.Msg).SetRcode(new(dns.Msg).SetQuestion("landfall.test.", dns.TypeSOA), dns.RcodeNotAuth).Pack()
		answer = s.Sign(answer, tt.at)
		got := new(dns.Msg)
		if err := got.Unpack(answer); err != nil {
			t.Fatal(err)
		}
		rec := got.IsTsig()
		if rec.Error != tt.want || (rec.MAC == "") != (tt.want == BadKey || tt.want == BadSig) {
			t.Errorf("%s: the answer says %v", tt.name, rec)
		}
		if tt.want == BadTime && (len(rec.OtherData) != 12 || rec.TimeSigned != uint64(noon.Unix())) {
			t.Errorf("%s: the answer does not tell our time: %v", tt.name, rec)
		}
	}
}

func TestSignaturesAreNotCutShort(t *testing.T) {
	k := key(SHA256)
	msg, at, _ := signed(t, k, noon)
	rec, ok := parse(msg[at:])
	if !ok {
		t.Fatal("not parsed")
	}
	for size, want := range map[int]uint16{32: 0, 31: BadTrunc, 16: BadTrunc} {
		short := rec
		short.mac = rec.mac[:size]
		s, ok := NewRing(k).Verify(short.append(append([]byte{}, msg[:at]...)), at, noon)
		if !ok || s.Error() != want {
			t.Errorf("%d bytes: %v, error %d, want %d", size, ok, s.Error(), want)
		}
	}
	for _, size := range []int{0, 15, 33} {
		bad := rec
		bad.mac = append(append([]byte{}, rec.mac...), 0)[:size]
		if _, ok := NewRing(k).Verify(bad.append(append([]byte{}, msg[:at]...)), at, noon); ok {
			t.Errorf("%d bytes: not malformed (RFC 8945, 5.2.2.1)", size)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	good := `# by tsig-keygen
key "one.test" { algorithm hmac-sha256; secret "c2l4dGVlbiBieXRlcyBvZiBhIHNlY3JldA=="; };
/* and
another */ key two { secret "c2l4dGVlbiBieXRlcyBvZiBhIHNlY3JldA=="; algorithm HMAC-SHA512; }; // the end`
	r, err := ParseRing("keys", []byte(good))
	if err != nil || r.Len() != 2 {
		t.Fatalf("%v, %d keys", err, r.Len())
	}
	if k, ok := r.Key(zone.Name("\x03two\x00")); !ok || k.Algorithm != SHA512 || string(k.Secret) != "sixteen bytes of a secret" {
		t.Errorf("got %v", ok)
	}
	for src, want := range map[string]string{
		"":                                  "no key in it",
		"options { };":                      `keys:1: "options" where a key statement begins`,
		"\n\nkey \"a\" ":                    `keys:3: key "a": want {`,
		`key a { algorithm hmac-md5; };`:    `algorithm "hmac-md5": want hmac-sha256`,
		`key a { secret "!"; };`:            "not base64",
		`key a { secret "c2hvcnQ="; };`:     "has 5 bytes, want at least 16",
		`key a { secret`:                    "not base64|want ;|has 0 bytes",
		`key a { algorithm hmac-sha256; };`: "has no secret",
		`key a { secret "c2l4dGVlbiBieXRlcyBvZiBhIHNlY3JldA=="; };`:                                           "has no algorithm",
		`key a { secret "c2l4dGVlbiBieXRlcyBvZiBhIHNlY3JldA==" };`:                                            "want ;",
		`key a { colour blue; };`:                                                                             "neither algorithm nor secret",
		`key "` + strings.Repeat("x", 64) + `" { };`:                                                          "not a domain name",
		strings.Repeat(`key a { algorithm hmac-sha256; secret "c2l4dGVlbiBieXRlcyBvZiBhIHNlY3JldA=="; };`, 2): "there are two",
	} {
		_, err := ParseRing("keys", []byte(src))
		found := false
		for w := range strings.SplitSeq(want, "|") {
			found = found || err != nil && strings.Contains(err.Error(), w)
		}
		if !found {
			t.Errorf("%q: %v, want %q", src, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "c2l4dGVl") {
			t.Errorf("%q: the error shows the secret", src)
		}
	}
}

// FuzzVerify gives messages that end as a stranger likes: none of them is
// believed.
func FuzzVerify(f *testing.F) {
	msg, at, _ := signed(f, key(SHA256), noon)
	f.Add(msg[at:])
	f.Add(msg[at : len(msg)-1])
	f.Add([]byte{0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0})
	ring := NewRing(Key{Name: key(SHA256).Name, Algorithm: SHA256, Secret: secret[1:]})
	f.Fuzz(func(t *testing.T, end []byte) {
		whole := append(append([]byte{}, msg[:at]...), end...)
		binary.BigEndian.PutUint16(whole[10:], 2)
		s, ok := ring.Verify(whole, at, noon)
		if !ok {
			return
		}
		if s.Error() == 0 {
			t.Fatalf("believed: %x", end)
		}
		answer, _ := new(dns.Msg).SetQuestion("landfall.test.", dns.TypeSOA).Pack()
		size := len(answer)
		out := s.Sign(answer, noon)
		if err := new(dns.Msg).Unpack(out); err != nil || len(out)-size > s.Size() {
			t.Fatalf("%d bytes more, Size says %d: %v", len(out)-size, s.Size(), err)
		}
	})
}

// FuzzKeyFile gives files as an operator might write them.
func FuzzKeyFile(f *testing.F) {
	f.Add(`key "one.test" { algorithm hmac-sha256; secret "c2l4dGVlbiBieXRlcyBvZiBhIHNlY3JldA=="; };`)
	f.Add(`key a { /* } */ secret "; };`)
	f.Add("// \n # \n /*")
	f.Fuzz(func(t *testing.T, src string) {
		r, err := ParseRing("keys", []byte(src))
		if (err == nil) == (r.Len() == 0) {
			t.Fatalf("%d keys and %v", r.Len(), err)
		}
	})
}
