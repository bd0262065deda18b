package chat

import (
	"encoding/base64"
	"maps"
	"testing"
)

func TestCursorText(t *testing.T) {
	a, b := NewFlowID([16]byte{1}), NewFlowID([16]byte{2})
	for _, c := range []Cursor{{}, {a: 0}, {a: 300, b: 1}, {b: 1 << 40}} {
		got, err := ParseCursor(c.String())
		if err != nil || !maps.Equal(got, c) {
			t.Errorf("ParseCursor(%s) = %v, %v, want %v", c, got, err, c)
		}
	}
	if c, err := ParseCursor(""); err != nil || len(c) != 0 {
		t.Errorf("empty text: %v, %v", c, err)
	}
}

func TestCursorRefusesWhatItDidNotWrite(t *testing.T) {
	a := Cursor{NewFlowID([16]byte{1}): 1}
	good, _ := base64.RawURLEncoding.DecodeString(a.String())
	enc := base64.RawURLEncoding.EncodeToString
	for name, text := range map[string]string{
		"not base64":       "***",
		"padded":           a.String() + "=",
		"other version":    enc(append([]byte{9}, good[1:]...)),
		"cut off":          enc(good[:len(good)-1]),
		"flow twice":       enc(append(good, good[1:]...)),
		"number too large": enc(append(good[:17:17], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)),
		"long varint":      enc(append(good[:17:17], 0x81, 0x00)),
		"nothing":          enc(nil) + "A",
		"far too long":     enc(make([]byte, maxCursor)),
	} {
		if c, err := ParseCursor(text); err == nil {
			t.Errorf("%s: %v", name, c)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("")
	f.Add(Cursor{}.String())
	f.Add(Cursor{NewFlowID([16]byte{1}): 1, NewFlowID([16]byte{2}): 1 << 40}.String())
	f.Add("AQ==")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCursor(text)
		if err != nil {
			return
		}
		for flow, seq := range c {
			if seq < 0 {
				t.Errorf("flow %s at %d", flow, seq)
			}
		}
		if text != "" && c.String() != text {
			t.Errorf("%q is %q again", text, c.String())
		}
	})
}
