package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"landfall"
)

var epoch = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

const token = "0123456789abcdef"

func full() Report {
	return Report{
		Requests: 12.5,
		Samples: []landfall.Sample{
			{Prefix: netip.MustParsePrefix("192.0.2.0/24"), RTT: 12 * time.Millisecond, Count: 3, When: epoch},
			{Prefix: netip.MustParsePrefix("2001:db8::/48"), RTT: time.Millisecond, Count: 1, When: epoch},
		},
		Fetched: []Fetched{{Token: token, Client: netip.MustParseAddr("192.0.2.7"), When: epoch}},
	}
}

func TestReportIsReadAsWritten(t *testing.T) {
	for _, r := range []Report{full(), {}} {
		b, err := Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		got, dropped, err := Decode(b, epoch)
		if err != nil || dropped != (Dropped{}) || !reflect.DeepEqual(got, r) {
			t.Errorf("%s\nread as %+v, %+v, %v", b, got, dropped, err)
		}
	}
}

func TestTooLargeReportIsNotSent(t *testing.T) {
	r := full()
	for range 20_000 {
		r.Samples = append(r.Samples, r.Samples[0])
	}
	if _, err := Encode(r); err == nil || !strings.Contains(err.Error(), "of which name servers read 1048576") {
		t.Errorf("got %v", err)
	}
}

func TestEntriesThatAreWrongAreDroppedAlone(t *testing.T) {
	sample := func(s string) string { return `{"requests":1,"samples":[` + s + `]}` }
	fetch := func(s string) string { return `{"requests":1,"fetched":[` + s + `]}` }
	const goodSample = `{"prefix":"192.0.2.0/24","rtt":5000000,"count":1,"when":"2026-01-02T15:04:05Z"}`
	const goodFetch = `{"token":"` + token + `","client":"192.0.2.1","when":"2026-01-02T15:04:05Z"}`
	for _, c := range []struct {
		name, doc string
		good      int
		want      Dropped
	}{
		{"good samples", sample(goodSample + "," + goodSample), 2, Dropped{}},
		{"a newer edge", `{"requests":1,"colour":"red","samples":[` + strings.Replace(goodSample, "{", `{"loss":1,`, 1) + `]}`, 1, Dropped{}},
		{"no lists", `{"requests":1,"samples":null,"fetched":null}`, 0, Dropped{}},
		{"no prefix in text", sample(strings.Replace(goodSample, "192.0.2.0/24", "here", 1) + "," + goodSample), 1, Dropped{Malformed: 1}},
		{"a round trip in words", sample(strings.Replace(goodSample, "5000000", `"fast"`, 1) + "," + goodSample), 1, Dropped{Malformed: 1}},
		{"a count below 0", sample(strings.Replace(goodSample, `"count":1`, `"count":-1`, 1)), 0, Dropped{Malformed: 1}},
		{"no objects", sample(`1,"x",[],null,` + goodSample), 1, Dropped{Malformed: 4}},
		{"good fetches", fetch(goodFetch), 1, Dropped{}},
		{"a short token", fetch(strings.Replace(goodFetch, token, "abc", 1)), 0, Dropped{Malformed: 1}},
		{"a token with other letters", fetch(strings.Replace(goodFetch, token, "ABCDEFGHIJKLMNOP", 1)), 0, Dropped{Malformed: 1}},
		{"no client", fetch(strings.Replace(goodFetch, "192.0.2.1", "", 1)), 0, Dropped{Malformed: 1}},
		{"yesterday", fetch(strings.Replace(goodFetch, "01-02", "01-01", 1)), 0, Dropped{Untimely: 1}},
		{"tomorrow", fetch(strings.Replace(goodFetch, "01-02", "01-03", 1)), 0, Dropped{Untimely: 1}},
		{"too many", sample(strings.Repeat(goodSample+",", MaxSamples+9) + goodSample), MaxSamples, Dropped{Surplus: 10}},
		{"two lists", `{"requests":1,"samples":[` + goodSample + `],"samples":[` + goodSample + `]}`, 2, Dropped{}},
	} {
		r, dropped, err := Decode([]byte(c.doc), epoch)
		if err != nil || dropped != c.want || len(r.Samples)+len(r.Fetched) != c.good {
			t.Errorf("%s: %d good, dropped %+v, %v", c.name, len(r.Samples)+len(r.Fetched), dropped, err)
		}
	}
}

func TestDocumentsThatAreNoReportAreRefused(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{``, "unexpected end"},
		{`{}`, "requests is missing"},
		{`null`, "requests is missing"},
		{`[]`, "cannot unmarshal array"},
		{`{"requests":1`, "unexpected end"},
		{`{"requests":1}{"requests":2}`, "after top-level value"},
		{`{"requests":-1}`, "-1 requests a second: want 0 to 1e+08"},
		{`{"requests":1e9}`, "1e+09 requests"},
		{`{"requests":1e999}`, "cannot unmarshal number"},
		{`{"requests":"many"}`, "cannot unmarshal string"},
		{`{"requests":1,"samples":{}}`, "want an array"},
		{`{"requests":1,"fetched":7}`, "want an array"},
		{`{"requests":1}` + strings.Repeat(" ", maxReport), "more than 1048576 octets"},
	} {
		if _, _, err := Decode([]byte(c.doc), epoch); err == nil || !strings.HasPrefix(err.Error(), "report: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %q", c.doc, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, err := Encode(full())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"requests":1,"samples":[{},null,7],"fetched":[{"token":"x"}]}`))
	f.Add([]byte(`{"requests":1,"samples":[[[[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, _, err := Decode(b, epoch)
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Error("not JSON, yet a report")
		}
		again, err := Encode(r)
		if err != nil {
			return // a time that JSON cannot write
		}
		got, dropped, err := Decode(again, epoch)
		if err != nil || dropped != (Dropped{}) || len(got.Samples) != len(r.Samples) || len(got.Fetched) != len(r.Fetched) {
			t.Errorf("%s\nread again: %+v, %v", again, dropped, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	r := full()
	for i := range 1000 {
		r.Samples = append(r.Samples, r.Samples[i&1])
	}
	doc, err := json.Marshal(r)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, _, err := Decode(doc, epoch); err != nil {
			b.Fatal(err)
		}
	}
}

// document is a report on the wire.
func document(r Report) *bytes.Reader {
	b, err := Encode(r)
	if err != nil {
		panic(fmt.Sprint("a report of the test cannot be written: ", err))
	}
	return bytes.NewReader(b)
}
