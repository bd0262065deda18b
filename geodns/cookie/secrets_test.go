package cookie

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A secret is replaced at one server after the other, and no client of any
// hears that its cookie is bad.
func TestSecretsAreReplacedUnseen(t *testing.T) {
	old, young := Secret{1}, Secret{2}
	client, now := netip.MustParseAddr("192.0.2.1"), time.Unix(1_700_000_000, 0)
	stages := []Secrets{{old}, {old, young}, {young, old}, {young}}
	for i, made := range stages[:3] {
		told, _ := made.Answer(nil, []byte("12345678"), client, now)
		for _, asked := range stages[i : i+2] {
			if _, valid := asked.Answer(nil, told, client, now.Add(time.Minute)); !valid {
				t.Errorf("stage %d: a cookie by %v is not good for %v", i, made, asked)
			}
		}
	}
	if _, valid := stages[3].Answer(nil, old.Append(nil, []byte("12345678"), client, now), client, now); valid {
		t.Error("a secret that was given up is still good")
	}
}

func TestCookieOfAnOlderSecretIsReplaced(t *testing.T) {
	client, now := netip.MustParseAddr("192.0.2.1"), time.Unix(1_700_000_000, 0)
	s := Secrets{{2}, {1}}
	was := s[1].Append(nil, []byte("12345678"), client, now)
	told, valid := s.Answer(nil, was, client, now)
	if !valid || slices.Equal(told, was) || !s[0].Valid(told, client, now) {
		t.Errorf("told %x for %x, valid %v", told, was, valid)
	}
}

// Servers that share a root agree at midnight, though their clocks do not.
func TestDerivedSecretsMeet(t *testing.T) {
	client, midnight := netip.MustParseAddr("192.0.2.1"), time.Unix(1_700_006_400, 0)
	root := []byte("root")
	for _, shift := range []time.Duration{-5 * time.Minute, -time.Second, 0, time.Second, 5 * time.Minute} {
		for _, at := range []time.Duration{-time.Minute, 0, time.Minute} {
			now := midnight.Add(at)
			told, _ := Derive(root, now.Add(shift)).Answer(nil, []byte("12345678"), client, now)
			if _, valid := Derive(root, now).Answer(nil, told, client, now); !valid {
				t.Errorf("at %v a cookie of a server %v off is not good", now, shift)
			}
		}
	}
	if Derive(root, midnight)[0] == Derive(root, midnight.Add(-1))[0] || Derive(root, midnight)[0] == Derive([]byte("other"), midnight)[0] {
		t.Error("secrets are the same that must not be")
	}
}
