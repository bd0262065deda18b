package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"landfall/origin/api"
	"landfall/origin/chat"
	"landfall/origin/origintest"
)

// as asks as somebody and returns the status and the body.
func as(t *testing.T, a http.Handler, token, method, target string, header ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	r.SetBasicAuth(token, "")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// readLog counts what the statements of reads are made of.
type readLog struct {
	chat.Log
	kinds int // the most that one read had
	reads int
}

func (l *readLog) Read(ctx context.Context, flow chat.FlowID, s chat.Span) ([]chat.Event, error) {
	l.kinds = max(l.kinds, len(s.Kinds))
	l.reads++
	return l.Log.Read(ctx, flow, s)
}

func TestWhatIsAskedForIsBounded(t *testing.T) {
	k := origintest.New(t)
	log := &readLog{Log: k.Log}
	a, err := api.New(api.Config{Auth: k.Auth, Backend: k.NewBackend(t, log), Accounts: k.Accounts})
	if err != nil {
		t.Fatal(err)
	}
	k.Post(t, origintest.Main, "u", "hello")
	const path = "/flows/acme/main/messages?"
	for _, test := range []struct {
		query  string
		status int
		want   string
	}{
		{"event=" + strings.Repeat("a,", 30_000), 400, `"event":["are too many (maximum is 100)"]`},
		{"tags=" + strings.Repeat("a,", 30_000), 400, `"tags":["are too many (maximum is 100)"]`},
		{"search=" + strings.Repeat("a+", 30_000), 400, `"search":["has too many words (maximum is 20)"]`},
		{"event=message,file,vcs" + strings.Repeat(",message", 90), 200, `"content":"hello"`},
		{"event=file,vcs", 200, `[]`},
	} {
		status, body := as(t, a, origintest.Ann, "GET", path+test.query)
		if status != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%.60s: %d %.200s", test.query, status, body)
		}
	}
	if log.kinds != 1 || log.reads != 1 {
		t.Errorf("%d reads, of up to %d kinds", log.reads, log.kinds)
	}
}

func TestArchivedFlowIsNotWrittenTo(t *testing.T) {
	a, k := newAPI(t)
	org, err := k.Accounts.Organization(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	old := chat.Flow{ID: chat.NewFlowID([16]byte{15: 9}), Org: org, Slug: "old", Name: "Old", Access: chat.AccessInvitation, Archived: true}
	if err := k.Backend.AddFlow(t.Context(), old, 1); err != nil {
		t.Fatal(err)
	}
	k.Post(t, old.ID, "u", "from before")
	for request, want := range map[string]int{
		"GET /flows/acme/old/messages":                       200,
		"GET /flows/acme/old/messages/1":                     200,
		"POST /flows/acme/old/messages?content=x":            403,
		"POST /messages?flow=acme/old&content=x":             403,
		"POST /flows/acme/old/messages/1/comments?content=x": 403,
		"PUT /flows/acme/old/messages/1?content=x":           403,
		"PUT /flows/acme/old/messages/1?tags=x":              403,
		"DELETE /flows/acme/old/messages/1":                  403,
	} {
		method, target, _ := strings.Cut(request, " ")
		if status, body := as(t, a, origintest.Ann, method, target); status != want || want == 403 && !strings.Contains(body, "archived") {
			t.Errorf("%s: %d %s", request, status, body)
		}
	}
}
