package join

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"landfall"
	"landfall/mesh/mapsync"
)

var update = flag.Bool("update", false, "write what is said now into testdata")

const transcript = "testdata/conversation.txt"

// The conversation as it is said, keys and nonces shortened, is in testdata:
// whoever changes a word of it changes the protocol.
func TestConversationIsAsWritten(t *testing.T) {
	var said string
	synctest.Test(t, func(t *testing.T) { said = conversation(t) })
	if *update {
		if err := os.WriteFile(transcript, []byte(said), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(transcript)
	if err != nil {
		t.Fatal(err)
	}
	if said != string(want) {
		t.Errorf("said:\n%s\nwritten (go test -update writes it anew):\n%s", said, want)
	}
}

func conversation(t *testing.T) string {
	h := newHome(t)
	token := h.invite("nyc1")
	before := h.newest()
	cfg := newMachine(t).config(h, token)
	h.must(cfg.complete())
	c, _ := called(t, h, cfg)
	r := cfg.request(standing{advertised: addrs("198.51.100.7"), bound: addrs("10.0.0.5")})
	body := encode(t, r)
	var out strings.Builder
	fmt.Fprintf(&out, "> GET %s?node=%s\n< 200, %s\n%s\n\n", helloPath, token.Node, signatureHeader, pretty(t, encode(t, c.hello)))
	proof := token.secret.key().prove(c.binding, c.hello.Nonce, body)
	fmt.Fprintf(&out, "> POST %s, %s of %d bytes\n%s\n", joinPath, proofHeader, len(proof), pretty(t, body))
	doc, err := c.join(t.Context(), token, body)
	h.must(err)
	m, err := mapsync.Verify(doc, h.key.Public())
	h.must(err)
	fmt.Fprintf(&out, "< 200, %s, serial %d after %d\n", mapType, m.Serial, before.Serial)
	for _, change := range landfall.Diff(before, m) {
		what, _, _ := strings.Cut(change.String(), ":")
		fmt.Fprintf(&out, "  %s\n", what)
	}
	c, _ = called(t, h, newMachine(t).config(h, token))
	r.Key = landfall.NewPrivateKey().Public()
	body = encode(t, r)
	head := http.Header{proofHeader: {base64.StdEncoding.EncodeToString(token.secret.key().prove(c.binding, c.hello.Nonce, body))}}
	resp, answer, err := c.exchange(http.MethodPost, url.URL{Path: joinPath}, head, body, maxRefusal)
	h.must(err)
	fmt.Fprintf(&out, "\n> the same, by another server\n< %d\n%s\n", resp.StatusCode, pretty(t, answer))
	return out.String()
}

// pretty is a document with its keys shortened.
func pretty(t *testing.T, b []byte) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nonce", "key"} {
		if _, ok := v[name]; ok {
			v[name] = "…"
		}
	}
	if s, ok := v["sealing"].(map[string]any); ok {
		s["mlkem"], s["x25519"] = "…", "…"
	}
	var lines []string
	for name, value := range v {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("  %s: %s", name, text))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
