package geofetch_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"landfall/cmd/internal/geofetch"
	"landfall/geodns/locate"
)

// script answers requests one after the other, and remembers when they came.
type script struct {
	begun   time.Time
	answers []func() *http.Response
	asked   []time.Duration
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, time.Since(s.begun))
	next := s.answers[min(len(s.asked), len(s.answers))-1]
	resp := next()
	resp.Request = r
	return resp, nil
}

func answer(code int, head http.Header, body []byte) func() *http.Response {
	return func() *http.Response {
		return &http.Response{StatusCode: code, Status: http.StatusText(code), Header: head, Body: io.NopCloser(bytes.NewReader(body))}
	}
}

// TestRunAsksSeldomAndAfterFailuresSooner runs four days.
func TestRunAsksSeldomAndAfterFailuresSooner(t *testing.T) {
	dir := t.TempDir()
	good, moved := gzipped(database(t, "DBIP-City-Lite", 0)), gzipped(database(t, "DBIP-City-Lite", 16))
	synctest.Test(t, func(t *testing.T) {
		s := &script{begun: time.Now(), answers: []func() *http.Response{
			answer(500, nil, nil),
			answer(500, nil, nil),
			answer(429, http.Header{"Retry-After": {"3600"}}, nil),
			answer(200, nil, []byte("<html>")),
			answer(200, http.Header{"Etag": {`"1"`}}, good),
			answer(200, nil, moved), // refused: not before tomorrow
			answer(304, nil, nil),
		}}
		run := func(days int) geofetch.Stats {
			f, err := geofetch.New(geofetch.Config{Provider: geofetch.DBIP, Editions: []string{"city"}, Dir: dir, HTTP: &http.Client{Transport: s}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(days)*24*time.Hour)
			defer cancel()
			if err := f.Run(ctx); err != nil {
				t.Error(err)
			}
			return f.Stats()
		}
		first := run(3)
		const day = 24 * time.Hour
		success := 3*time.Minute + time.Hour + 8*time.Minute
		want := []time.Duration{0, time.Minute, 3 * time.Minute, time.Hour + 3*time.Minute, success, success + day, success + 2*day}
		if !slices.Equal(s.asked, want) {
			t.Errorf("asked at %v, want %v", s.asked, want)
		}
		if first.Failed != 3 || first.Refused["damaged"] != 1 || first.Refused["moved"] != 1 || first.Updates != 1 {
			t.Errorf("%+v", first)
		}
		if age := time.Duration(first.Age * float64(time.Second)); age != day-success {
			t.Errorf("confirmed %v ago, want %v", age, day-success)
		}
		s.asked, s.answers = nil, s.answers[len(s.answers)-1:]
		if again := run(1); len(s.asked) != 1 || s.asked[0] != success+3*day || again.Fetches != 1 {
			t.Errorf("after a restart asked at %v, want %v: %+v", s.asked, success+3*day, again)
		}
	})
}

// fetchInto names the variables by which the test starts itself.
const fetchInto, fetchFrom = "LANDFALL_TEST_FETCH_INTO", "LANDFALL_TEST_FETCH_FROM"

// TestFetchUntilKilled is what TestAKillLeavesAWholeFile kills.
func TestFetchUntilKilled(t *testing.T) {
	dir := os.Getenv(fetchInto)
	if dir == "" {
		return
	}
	f, err := geofetch.New(geofetch.Config{Provider: geofetch.DBIP, Editions: []string{"city"}, Dir: dir, Base: os.Getenv(fetchFrom)})
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := f.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAKillLeavesAWholeFile(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes")
	}
	rounds := 20
	if os.Getenv("LANDFALL_SOAK") != "" {
		rounds = 500
	}
	var versions [][]byte
	for moved := range 2 {
		versions = append(versions, gzipped(database(t, "DBIP-City-Lite", moved)))
	}
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Write(versions[asked%2])
	}))
	defer srv.Close()
	dir := t.TempDir()
	seen := map[time.Time]int{}
	for i := range rounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFetchUntilKilled$")
		cmd.Env = append(os.Environ(), fetchInto+"="+dir, fetchFrom+"="+srv.URL)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			t.Fatalf("it ended by itself: %v\n%s", err, out.String())
		case <-time.After(time.Duration(60+i*37%90) * time.Millisecond):
		}
		cmd.Process.Kill()
		<-ended
		table, err := locate.Open(locate.Sources{Places: filepath.Join(dir, "dbip-city-lite.mmdb")}, nil)
		if os.IsNotExist(err) && len(seen) == 0 {
			continue // killed before the first
		}
		if err != nil {
			t.Fatalf("after kill %d: %v", i, err)
		}
		seen[table.About().Places.Built]++
	}
	if len(seen) != 2 {
		t.Errorf("the kills met %v: not both databases", seen)
	}
}
