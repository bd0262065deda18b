package master

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"landfall"
	"landfall/geodns/zone"
)

var update = flag.Bool("update", false, "write what is said now into the golden files")

// read reads the zone example.com from files in memory.
func read(files map[string]string) *File {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Read("example.com", "example.com.zone", func(name string) ([]byte, error) {
		return fs.ReadFile(fsys, name)
	})
}

// good reads one file without faults, and tells its records a line each.
func good(t *testing.T, text string) (lines []string) {
	t.Helper()
	f := read(map[string]string{"example.com.zone": text})
	for _, fault := range f.Faults {
		t.Errorf("fault: %s (%s) at %q", fault.Msg, fault.Cure, text[fault.From:fault.To])
	}
	if len(f.Places) != len(f.Zone.Records) {
		t.Errorf("%d places of %d records", len(f.Places), len(f.Zone.Records))
	}
	return told(f.Zone)
}

func told(z landfall.Zone) (lines []string) {
	for _, r := range z.Records {
		lines = append(lines, fmt.Sprintf("%s %v %s %s", r.Name, r.TTL, r.Type, r.Data))
	}
	return lines
}

func expect(t *testing.T, text string, want ...string) {
	t.Helper()
	if got := good(t, text); !slices.Equal(got, want) {
		t.Errorf("%s\n got %q\nwant %q", text, got, want)
	}
}

// RFC 1035, 5.1, and its example.
func TestEntriesOfMasterFiles(t *testing.T) {
	expect(t, "@ IN SOA VENERA Action\\.domains ( 20 ; SERIAL\n 7200 ; REFRESH\n 600 3600000 60)\n",
		`example.com 1h0m0s SOA VENERA.example.com. Action\.domains.example.com. 20 7200 600 3600000 60`)
	expect(t, "$TTL 5m\n  \n; a comment\n\nWWW A 192.0.2.1\n\tA 192.0.2.2 ; as www\n@ NS www\n",
		"www.example.com 5m0s A 192.0.2.1", "www.example.com 5m0s A 192.0.2.2", "example.com 5m0s NS www.example.com.")
	expect(t, "a 60 IN A 192.0.2.1\nb IN 61 A 192.0.2.1\nc A 192.0.2.1\nd CLASS1 TYPE1 \\# 4 c0000201\ne 0 A 192.0.2.1\n",
		"a.example.com 1m0s A 192.0.2.1", "b.example.com 1m1s A 192.0.2.1", "c.example.com 1m1s A 192.0.2.1", "d.example.com 1m1s A 192.0.2.1", "e.example.com 1ns A 192.0.2.1")
	expect(t, "$TTL 1w2d3h4m5s\na A 192.0.2.1", "a.example.com 219h4m5s A 192.0.2.1")
	expect(t, "$ORIGIN sub\na CNAME b\n$ORIGIN sub.example.com.\nc CNAME .\n$ORIGIN .\nd.example.com CNAME e.test\n",
		"a.sub.example.com 1h0m0s CNAME b.sub.example.com.", "c.sub.example.com 1h0m0s CNAME .", "d.example.com 1h0m0s CNAME e.test.")
	expect(t, "\ufeffa A 192.0.2.1\r\nb A 192.0.2.2\r\n", "a.example.com 1h0m0s A 192.0.2.1", "b.example.com 1h0m0s A 192.0.2.2")
	expect(t, `a TXT one "two ; \" three" \( "" "caf`+"\u00e9"+`"`, `a.example.com 1h0m0s TXT "one" "two ; \" three" "(" "" "caf\195\169"`)
	expect(t, `a\.b.c A 192.0.2.1`, `a\.b.c.example.com 1h0m0s A 192.0.2.1`)
	expect(t, "")
}

func TestTypesOfRecords(t *testing.T) {
	for _, line := range []string{
		`A 192.0.2.1`, `AAAA 2001:db8::1`, `NS ns.example.net.`, `CNAME example.net.`, `DNAME example.net.`, `PTR example.net.`,
		`MX 10 mail.example.net.`, `SRV 1 2 443 example.net.`, `TXT "v=spf1 -all"`, `SPF "v=spf1 -all"`, `CAA 0 issue "letsencrypt.org; validationmethods=dns-01"`,
		`HTTPS 1 . alpn="h2,h3" port="8443" ipv4hint="192.0.2.1" ipv6hint="2001:db8::1"`, `HTTPS 0 example.net.`, `SVCB 2 x.example.net. mandatory="alpn" alpn="bar" key65280="x"`,
		`TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971`, `SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789`,
		`NAPTR 100 10 "u" "sip+E2U" "!^.*$!sip:info@example.com!" .`, `LOC 52 22 23.000 N 4 53 32.000 E -2m 0.00m 10000m 10m`, `HINFO "PC" "Linux"`,
		`RP mbox.example.net. txt.example.net.`, `URI 10 1 "https://example.net/"`, `CERT PGP 0 0 aGVsbG8=`, `DS 60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A`,
		`SMIMEA 3 0 0 aabb`, `OPENPGPKEY aGVsbG8=`, `APL 1:192.168.38.0/28 !2:2001:db8::/32`, `EUI48 00-00-5e-00-53-2a`, `EUI64 00-00-5e-ef-10-00-00-2a`,
		`CSYNC 66 3 A NS AAAA`, `ZONEMD 2018031500 1 1 616c6c6f`, `KX 10 kx.example.net.`, `AFSDB 1 afs.example.net.`, `TYPE65280 \# 3 abcdef`, `TYPE65281 \# 0`,
	} {
		got := good(t, "x "+line+"\n")
		if len(got) != 1 || !strings.HasPrefix(got[0], "x.example.com 1h0m0s "+line[:strings.IndexByte(line, ' ')]) {
			t.Errorf("%s: got %q", line, got)
			continue
		}
		z := landfall.Zone{Name: "example.com", Records: read(map[string]string{"example.com.zone": "x " + line}).Zone.Records}
		if again := good(t, Write(z)); !slices.Equal(again, got) {
			t.Errorf("%s: written and read again: %q, want %q", line, again, got)
		}
	}
}

func TestGenerate(t *testing.T) {
	expect(t, "$TTL 60\n$GENERATE 1-5/2 host-$ A 192.0.2.$\n", "host-1.example.com 1m0s A 192.0.2.1", "host-3.example.com 1m0s A 192.0.2.3", "host-5.example.com 1m0s A 192.0.2.5")
	expect(t, "$GENERATE 9-10 ${0,3,d} 5 IN CNAME h${-9,0,x}.$$.\\$\n", `009.example.com 5s CNAME h0.$.$.example.com.`, `010.example.com 5s CNAME h1.$.$.example.com.`)
	expect(t, "$GENERATE 254-255 ${0,4,X}.x TXT \"$ of ${1,2,o}\"\n", `00fe.x.example.com 1h0m0s TXT "254 of 377"`, `00ff.x.example.com 1h0m0s TXT "255 of 400"`)
}

func TestIncludedFilesAreReadInPlace(t *testing.T) {
	f := read(map[string]string{
		"example.com.zone":  "$TTL 60\na A 192.0.2.1\n$INCLUDE parts/one sub\n  A 192.0.2.2\n$INCLUDE parts/one\n",
		"parts/one":         "www A 192.0.2.3\n$TTL 5\n$ORIGIN else\n$INCLUDE deeper/two\n",
		"parts/deeper/two":  "x A 192.0.2.4\n",
		"parts/deeper/none": "",
	})
	want := []string{
		"a.example.com 1m0s A 192.0.2.1", "www.sub.example.com 1m0s A 192.0.2.3", "x.else.sub.example.com 5s A 192.0.2.4",
		"a.example.com 1m0s A 192.0.2.2", "www.example.com 1m0s A 192.0.2.3", "x.else.example.com 5s A 192.0.2.4",
	}
	if got := told(f.Zone); !slices.Equal(got, want) || len(f.Faults) > 0 {
		t.Errorf("got %q, faults %v\nwant %q", got, f.Faults, want)
	}
	if p := f.Places[2]; p.File != "parts/deeper/two" || p.From != 0 {
		t.Errorf("the third record stands at %v", p)
	}
}

// TestFaultsAreToldAtOnce reads files with faults and compares everything that
// is told.
func TestFaultsAreToldAtOnce(t *testing.T) {
	files, err := filepath.Glob("testdata/*.zone")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".zone"), func(t *testing.T) {
			f := Read("example.com", file, os.ReadFile)
			var b strings.Builder
			for _, fault := range f.Faults {
				text, err := os.ReadFile(fault.File)
				if err != nil {
					t.Fatal(err)
				}
				if fault.Cure == "" {
					t.Errorf("no cure: %s", fault.Msg)
				}
				fmt.Fprintf(&b, "%s:%d %q\n  %s\n  cure: %s\n", filepath.Base(fault.File), 1+strings.Count(string(text[:fault.From]), "\n"), text[fault.From:fault.To], fault.Msg, fault.Cure)
			}
			fmt.Fprintf(&b, "\n%s\n", strings.Join(told(f.Zone), "\n"))
			golden(t, strings.TrimSuffix(file, "zone")+"txt", b.String())
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (run with -update if the new text is right):\n--- want\n%s--- got\n%s", file, want, got)
	}
}

func TestInclusionsComeToAnEnd(t *testing.T) {
	files := map[string]string{"example.com.zone": "$INCLUDE f0\n"}
	for i := range 20 {
		files[fmt.Sprintf("f%d", i)] = fmt.Sprintf("h%d A 192.0.2.1\n$INCLUDE f%d\n", i, i+1)
	}
	f := read(files)
	if len(f.Faults) != 1 || !strings.Contains(f.Faults[0].Msg, "within another") || len(f.Zone.Records) != maxDepth-1 {
		t.Errorf("%d records, faults %v", len(f.Zone.Records), f.Faults)
	}
	f = read(map[string]string{"example.com.zone": strings.Repeat("$INCLUDE e\n", maxFiles+5), "e": ""})
	if len(f.Faults) != 6 || !strings.Contains(f.Faults[0].Msg, "more than") {
		t.Errorf("%d faults, the first %v", len(f.Faults), f.Faults[:1])
	}
}

func TestAZoneHasAnEnd(t *testing.T) {
	text := "$GENERATE 1-40000 a$ A 192.0.2.1\n$GENERATE 1-40000 b$ A 192.0.2.1\nlast A 192.0.2.1\n"
	f := read(map[string]string{"example.com.zone": text})
	if len(f.Zone.Records) != landfall.MaxRecords || len(f.Faults) != 1 {
		t.Errorf("%d records, %d faults", len(f.Zone.Records), len(f.Faults))
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	broken := errors.New("no such luck")
	f := Read("example.com", "x", func(string) ([]byte, error) { return nil, broken })
	if len(f.Faults) != 1 || !strings.Contains(f.Faults[0].Msg, broken.Error()) || f.Faults[0].File != "x" {
		t.Errorf("%v", f.Faults)
	}
	if f := Read("a..b", "x", os.ReadFile); len(f.Faults) != 1 {
		t.Errorf("%v", f.Faults)
	}
	if f := read(map[string]string{"example.com.zone": "a A 192.0.2.1\n\x00"}); len(f.Faults) != 1 || f.Faults[0].From != 14 {
		t.Errorf("%v", f.Faults)
	}
}

// FuzzRead gives files as somebody might write them. What is read makes the
// same zone when it is written and read again, and a map can hold it.
func FuzzRead(f *testing.F) {
	seeds, _ := filepath.Glob("testdata/*.zone")
	for _, s := range seeds {
		text, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("$TTL 5m\n@ SOA ns h ( 1 2 3\n4 5 )\n@ NS ns\nns A 192.0.2.1\n$GENERATE 1-3 a${0,3,x} CNAME $.b\n*.w TXT \"a\" b\nh HTTPS 1 . alpn=h2\nu TYPE65280 \\# 2 abcd\n")
	f.Add("$GENERATE 1-2 $$.$ CNAME $$\n\\$ A 192.0.2.1\n\\@ A 192.0.2.1\n")
	f.Add("@ CAA 0 \x93 \"\"\n\xff TXT \xfe\n")
	f.Add("a\\.b\\ c\\000.\\255 TXT \\000 \"\\255\\\"\"\n$INCLUDE x \\@\n")
	f.Fuzz(func(t *testing.T, text string) {
		got := read(map[string]string{"example.com.zone": text, "x": "x A 192.0.2.1\n"})
		for _, fault := range got.Faults {
			if fault.From < 0 || fault.To < fault.From || fault.File == "example.com.zone" && fault.To > len(text) {
				t.Fatalf("%+v in %d bytes", fault, len(text))
			}
		}
		for _, line := range told(got.Zone) {
			if !plain(line) {
				t.Fatalf("%q", line)
			}
		}
		again := read(map[string]string{"example.com.zone": Write(got.Zone)})
		if len(again.Faults) > 0 || !slices.Equal(told(again.Zone), told(got.Zone)) {
			t.Fatalf("read %q, faults %v, of\n%s", told(again.Zone), again.Faults, Write(got.Zone))
		}
		_, faults := zone.Build(&landfall.Map{Domain: "landfall.test", Zones: []landfall.Zone{got.Zone}}, nil)
		for _, f := range faults {
			if strings.HasSuffix(f.Path, ".data") || strings.HasSuffix(f.Path, ".name") {
				t.Fatalf("%v", f)
			}
		}
	})
}
