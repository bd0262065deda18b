package join

import (
	"bytes"
	"crypto/mlkem"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"landfall"
)

// aRequest is the same in every process: fuzzing workers share what they find.
func aRequest(t testing.TB) request {
	t.Helper()
	kem, err := mlkem.NewDecapsulationKey768(make([]byte, mlkem.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return request{
		Network: "shop", Node: "nyc1", Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Version: "1",
		Key: landfall.PublicKey{1}, Sealing: landfall.SealingKey{X25519: [32]byte{1}, MLKEM: kem.EncapsulationKey().Bytes()},
		Advertised: addrs("198.51.100.7", "2001:db8::7"), Bound: addrs("10.0.0.5", "2001:db8::7"),
		Endpoints: []netip.AddrPort{netip.MustParseAddrPort("198.51.100.7:51820")},
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRequestsAreReadStrictly(t *testing.T) {
	good := encode(t, aRequest(t))
	if _, err := parseRequest(good); err != nil {
		t.Fatal(err)
	}
	spoilt := func(spoil func(*request)) []byte {
		r := aRequest(t)
		spoil(&r)
		return encode(t, r)
	}
	for say, b := range map[string][]byte{
		"too long":         append(bytes.Repeat([]byte(" "), maxRequest), good...),
		"unknown field":    append([]byte(`{"more":1,`), good[1:]...),
		"more than one":    append(good[:len(good):len(good)], '1'),
		"unexpected EOF":   good[:len(good)/2],
		"node":             spoilt(func(r *request) { r.Node = "../../etc" }),
		"key":              spoilt(func(r *request) { r.Key = landfall.PublicKey{} }),
		"more than 8":      spoilt(func(r *request) { r.Advertised = make([]netip.Addr, 9) }),
		"bound":            spoilt(func(r *request) { r.Bound = []netip.Addr{{}} }),
		"bound: fe80::1%1": spoilt(func(r *request) { r.Bound = addrs("fe80::1%1") }),
		"X25519":           spoilt(func(r *request) { r.Sealing.X25519 = [32]byte{} }),
		"ML-KEM":           spoilt(func(r *request) { r.Sealing.MLKEM[0], r.Sealing.MLKEM[1] = 0xff, 0xff }), // out of range (FIPS 203, 7.2)
		"version":          spoilt(func(r *request) { r.Version = strings.Repeat("x", 101) }),
	} {
		if _, err := parseRequest(b); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("want %q: %v", say, err)
		}
	}
}

// The long key stands in the inputs as KEM: what is short is soon varied.
func FuzzRequest(f *testing.F) {
	r := aRequest(f)
	long := encode(f, r.Sealing.MLKEM)
	f.Add(bytes.Replace(encode(f, r), long, []byte("KEM"), 1))
	f.Add([]byte(`{"node":"nyc1"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Replace(b, []byte("KEM"), long, 1)
		r, err := parseRequest(b)
		if err != nil {
			return
		}
		again, err := parseRequest(encode(t, r))
		if err != nil || !bytes.Equal(encode(t, again), encode(t, r)) {
			t.Errorf("%s: %v", b, err)
		}
		if !label(string(r.Node)) || r.Key.IsZero() {
			t.Errorf("taken: %+v", r)
		}
		// Whatever a server claims, home decides something.
		record{}.misplaced(r, netip.MustParseAddr("10.0.0.5"))
	})
}

func FuzzHello(f *testing.F) {
	f.Add(encode(f, hello{"shop", 7, "nyc1", netip.MustParseAddr("198.51.100.7"), time.Unix(1e9, 0).UTC(), make([]byte, nonceSize)}))
	f.Add([]byte(`{"nonce":"AAAA"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHello(b)
		if err == nil && len(h.Nonce) != nonceSize {
			t.Errorf("a nonce of %d bytes", len(h.Nonce))
		}
		// Whatever a control says, a server decides something.
		stand([]sight{{netip.MustParseAddr("10.0.0.5"), h.You}}, addrs("10.0.0.5"), nil)
	})
}

func FuzzRecord(f *testing.F) {
	f.Add(encode(f, record{Node: "nyc1", Key: proofKey{1}, Expires: time.Unix(1e9, 0).UTC(), Addresses: addrs("198.51.100.7")}))
	f.Add([]byte(`{"node":"nyc1","key":"00"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b, "nyc1")
		if err == nil && (r.Node != "nyc1" || r.Key == (proofKey{}) || r.Expires.IsZero()) {
			t.Errorf("taken: %+v", r)
		}
	})
}
