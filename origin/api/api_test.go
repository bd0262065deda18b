package api_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"landfall/origin/api"
	"landfall/origin/chat"
	"landfall/origin/origintest"
)

var update = flag.Bool("update", false, "write the answers into the transcripts")

func newAPI(t testing.TB) (*api.API, *origintest.Kit) {
	k := origintest.New(t)
	a, err := api.New(api.Config{Auth: k.Auth, Backend: k.Backend, Accounts: k.Accounts, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return a, k
}

// TestTranscripts plays each file of testdata against an API of its own. A
// line "> METHOD PATH WHO" begins a request; further lines with ">" are its
// headers and, after an empty one, its body. Lines with "<" are the answer.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := newAPI(t)
			got := play(t, a, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if line, g, w := firstDifference(got, string(want)); line > 0 {
				t.Errorf("%s:%d:\n got %s\nwant %s", file, line, g, w)
			}
		})
	}
}

func firstDifference(got, want string) (int, string, string) {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return i + 1, g[i], w[i]
		}
	}
	if len(g) != len(w) {
		return min(len(g), len(w)), fmt.Sprint(len(g), " lines"), fmt.Sprint(len(w), " lines")
	}
	return 0, "", ""
}

// play returns the transcript with the answers of today.
func play(t *testing.T, a http.Handler, text string) string {
	var out, request []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n")+"\n", "\n") {
		if rest, ok := strings.CutPrefix(line, ">"); ok {
			request = append(request, strings.TrimPrefix(rest, " "))
			out = append(out, line)
			continue
		}
		if len(request) > 0 {
			out = append(out, ask(t, a, request)...)
			request = nil
		}
		if !strings.HasPrefix(line, "<") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

var tokens = map[string]string{"ann": origintest.Ann, "bob": origintest.Bob, "cid": origintest.Cid, "zoe": origintest.Zoe}

// shown are the headers that a transcript tells.
var shown = []string{"Access-Control-Allow-Origin", "Flowdock-User", "Link", "Retry-After", "Www-Authenticate"}

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// steady replaces identifiers that differ from run to run. Those of the kit's
// flows are zero in front.
func steady(text string) string {
	return uuids.ReplaceAllStringFunc(text, func(uuid string) string {
		if strings.HasPrefix(uuid, "00000000-") {
			return uuid
		}
		return "UUID"
	})
}

// ask sends a request and returns the lines of the answer.
func ask(t *testing.T, a http.Handler, lines []string) []string {
	head := strings.Fields(lines[0])
	i := slices.Index(lines, "")
	if i < 0 {
		i = len(lines)
	}
	body := strings.Join(lines[min(i+1, len(lines)):], "\r\n")
	r := httptest.NewRequestWithContext(t.Context(), head[0], head[1], strings.NewReader(body))
	r.Host = "api.landfall.test"
	if len(head) > 2 {
		r.SetBasicAuth(tokens[head[2]], "undefined")
	}
	for _, line := range lines[1:i] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	out := []string{fmt.Sprint("< ", w.Code)}
	for _, name := range shown {
		if value := w.Header().Get(name); value != "" {
			out = append(out, "< "+name+": "+value)
		}
	}
	if b := w.Body.String(); b != "" {
		for item := range strings.SplitSeq(strings.ReplaceAll(steady(b), "},{\"id\"", "},\n {\"id\""), "\n") {
			out = append(out, "< "+item)
		}
	}
	return out
}

func TestBodiesAreBounded(t *testing.T) {
	a, _ := newAPI(t)
	for name, size := range map[string]int{"Content-Length": 2 << 20, "chunked": 2 << 20} {
		body := io.Reader(strings.NewReader("content=" + strings.Repeat("x", size)))
		if name == "chunked" {
			body = io.MultiReader(body) // of no length that is known before
		}
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/flows/acme/main/messages", body)
		r.SetBasicAuth(origintest.Ann, "")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), `"message":`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestBadParametersAreTold(t *testing.T) {
	a, _ := newAPI(t)
	const form, js = "application/x-www-form-urlencoded", "application/json"
	for _, test := range []struct{ contentType, body, want string }{
		{form, "content=%ff", "UTF-8"},
		{form, "content=%zz", "cannot be read"},
		{js, "\"\xff\"", "UTF-8"},
		{js, `{"content":"x"`, "not a JSON object"},
		{js, `["content"]`, "not a JSON object"},
		{js, `{"content":"x"} {}`, "goes on"},
		{js, `{"content":{"a":1}}`, `"content":["must be text"`},
		{js, `{"content":"x","tags":[1]}`, `"tags":["must be a list of texts"]`},
		{"text/html", "<p>", "not supported"},
		{"a/b; c", "x", "cannot be read"},
		{"multipart/form-data; boundary=x", "--y", "multipart"},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"content\"; filename=\"f\"\r\n\r\nx\r\n--x--\r\n", "is a file"},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\n\xff\r\n--x--\r\n", "UTF-8"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/flows/acme/main/messages", strings.NewReader(test.body))
		r.Header.Set("Content-Type", test.contentType)
		r.SetBasicAuth(origintest.Ann, "")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("%s %q: %d %s, want %q", test.contentType, test.body, w.Code, w.Body, test.want)
		}
	}
}

// TestStrangersSeeNothing asks for everything there is of an organization as
// somebody from another: the answers must be those to what does not exist.
func TestStrangersSeeNothing(t *testing.T) {
	a, k := newAPI(t)
	k.Post(t, origintest.Main, "u", "secret")
	for _, path := range []string{
		"GET /flows/acme", "GET /flows/acme/main", "GET /flows/acme/closed", "GET /flows/find?id=" + origintest.Main.String(),
		"GET /flows/acme/main/users", "GET /organizations/acme", "GET /organizations/find?id=1", "GET /organizations/acme/users", "GET /users/1",
		"GET /flows/acme/main/messages", "GET /flows/acme/main/messages/1", "PUT /flows/acme/main/messages/1?content=x",
		"DELETE /flows/acme/main/messages/1", "POST /flows/acme/main/messages?content=x", "POST /flows/acme/main/messages/1/comments?content=x",
		"POST /messages?content=x&flow=acme/main", "POST /messages?content=x&flow=" + origintest.Main.String(), "POST /comments?content=x&message=1&flow=acme:main",
		"PUT /flows/acme/main?open=true", "POST /flows/acme/main/users?id=3", "POST /flows/acme?name=new",
		"GET /flows/acme/main/threads/" + string(chat.ThreadOf(origintest.Main, "u")) + "/messages",
	} {
		method, target, _ := strings.Cut(path, " ")
		r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
		r.SetBasicAuth(origintest.Zoe, "")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound || w.Body.String() != `{"message":"Not found"}` {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/flows", "/flows/all", "/users", "/organizations"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		r.SetBasicAuth(origintest.Zoe, "")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if b := w.Body.Bytes(); w.Code != http.StatusOK || bytes.Contains(b, []byte("acme")) || !bytes.Contains(b, []byte("rival")) && path != "/users" {
			t.Errorf("%s: %d %s", path, w.Code, b)
		}
	}
	if events, err := k.Log.Read(t.Context(), origintest.Main, chat.Span{Limit: 9}); err != nil || len(events) != 1 {
		t.Errorf("the log has %d events, %v", len(events), err)
	}
}
