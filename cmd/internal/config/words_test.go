package config

import (
	"strings"
	"testing"
)

func TestNearestFindsWhatWasMeant(t *testing.T) {
	known := []string{"id", "region", "roles", "addresses", "bound", "status", "version"}
	for word, want := range map[string]string{
		"regoin":                             "region",    // two letters swapped
		"role":                               "roles",     // one too few
		"adress":                             "addresses", // three slips in nine letters
		"ID":                                 "",          // two letters, both wrong
		"ip":                                 "id",
		"x":                                  "",
		"":                                   "",
		"upstream":                           "",
		"stauts":                             "status",
		"versionen":                          "version",
		strings.Repeat("a", 1000) + "region": "",
	} {
		if got, ok := Nearest(word, known); got != want || ok != (want != "") {
			t.Errorf("Nearest(%.20q) = %q, %t, want %q", word, got, ok, want)
		}
	}
}

func TestCaretsStandBelowThePlace(t *testing.T) {
	long := strings.Repeat("a", 300)
	for _, c := range []struct {
		name, line   string
		from, length int
		text, carets string
	}{
		{"plain", `a = "b"`, 4, 3, `a = "b"`, `    ^^^`},
		{"tab", "\ta = 1", 5, 1, "    a = 1", "        ^"},
		{"wide", `"東京" = 1`, 7, 1, `"東京" = 1`, `         ^`},
		{"combining", "\"e\u0301\" = 1", 7, 1, "\"e\u0301\" = 1", `      ^`},
		{"control", "a\x1b[0m\xff = 1", 0, 6, "a�[0m�" + " = 1", "^^^^^^"},
		{"end of the line", `a =`, 3, 1, `a =`, `   ^`},
		{"past the end of the line", `a =`, 9, 9, `a =`, `   ^`},
		{"nothing", ``, 0, 1, ``, `^`},
		{"long, at the start", long, 0, 2, long[:100] + "…", "^^"},
		{"long, within", long, 150, 2, "…" + long[:100] + "…", strings.Repeat(" ", 41) + "^^"},
		{"long, at the end", long, 299, 5, "…" + long[:100], strings.Repeat(" ", 100) + "^"},
		{"long, all of it", long, 0, 300, long[:100] + "…", strings.Repeat("^", 100)},
	} {
		from, to := at(c.line, c.from), at(c.line, c.from+c.length)
		if text, carets := excerpt([]byte(c.line), from, to); text != c.text || carets != c.carets {
			t.Errorf("%s:\n got %s\n     %s\nwant %s\n     %s", c.name, text, carets, c.text, c.carets)
		}
	}
}

// at is the byte where the nth character of a line begins.
func at(line string, n int) int { return forward([]byte(line), 0, n) }

func TestErrorCountsFaultsAndNamesFiles(t *testing.T) {
	for want, e := range map[string]Error{
		"a.toml: 1 fault":          {[]Problem{{File: "a.toml"}}},
		"a.toml, b.toml: 3 faults": {[]Problem{{File: "a.toml"}, {File: "a.toml"}, {File: "b.toml"}}},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
