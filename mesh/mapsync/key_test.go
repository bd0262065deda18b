package mapsync

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSigningKeyIsMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	a, err := OpenSigningKey(openRoot(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenSigningKey(openRoot(t, dir))
	if err != nil || a.Public() != b.Public() {
		t.Fatalf("second opening: %v, keys %v and %v", err, a.Public(), b.Public())
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestBadKeyFileIsNamedAndKept(t *testing.T) {
	whole := keyPrefix + base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"empty", "", 0o600, keyPrefix},
		{"cut off", whole[:20], 0o600, "base64"},
		{"another kind", "wg-key:" + whole[len(keyPrefix):], 0o600, keyPrefix},
		{"garbage", "map-key:????", 0o600, "base64"},
		{"open to others", whole, 0o644, "chmod 600"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), keyFile)
			if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := OpenSigningKey(openRoot(t, filepath.Dir(file)))
			if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want the file and %q", err, c.want)
			}
			if len(c.text) > 10 && strings.Contains(err.Error(), c.text[8:]) {
				t.Errorf("the error tells the secret: %v", err)
			}
			if b, _ := os.ReadFile(file); string(b) != c.text {
				t.Errorf("the file now holds %q", b)
			}
		})
	}
}

// An interrupted first start leaves a temporary file at most.
func TestInterruptedKeyIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, keyFile+tempSuffix), []byte("map-k"), 0o600)
	if _, err := OpenSigningKey(openRoot(t, dir)); err != nil {
		t.Error(err)
	}
}

func TestSigningKeyIsNeverPrinted(t *testing.T) {
	key := NewSigningKey()
	secret := base64.StdEncoding.EncodeToString(key.k.Seed())
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+"\n", key)
		fmt.Fprintf(&out, verb+"\n", struct{ K SigningKey }{key})
	}
	json.NewEncoder(&out).Encode(struct{ K SigningKey }{key})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", key)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", key)
	for _, leak := range []string{secret, fmt.Sprintf("%x", key.k.Seed()), fmt.Sprintf("%X", key.k.Seed()), fmt.Sprint(key.k.Seed())[1:20]} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in:\n%s", leak, out.String())
		}
	}
}
