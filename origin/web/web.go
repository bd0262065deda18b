package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"landfall/origin/auth"
	"landfall/origin/backend"
	"landfall/origin/chat"
	"landfall/origin/wire"
)

//go:embed page.html page.css page.js
var files embed.FS

// newest is how many events the page shows at first.
const newest = 50

// maxForm is how long the body of a form may be.
const maxForm = 16 << 10

// Config is what a Handler needs.
type Config struct {
	Auth     *auth.Auth
	Backend  *backend.Backend
	Accounts chat.Accounts
	Logger   *slog.Logger // nil: silent
}

// Handler serves the page and the sessions.
type Handler struct {
	auth     *auth.Auth
	backend  *backend.Backend
	accounts chat.Accounts
	logger   *slog.Logger
	page     *template.Template
	style    template.CSS
	script   template.JS
	policy   string
	mux      *http.ServeMux
	handler  http.Handler // mux behind the protection from other sites
}

// New makes a Handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Auth == nil || cfg.Backend == nil || cfg.Accounts == nil {
		return nil, errors.New("web: needs auth, a message backend and accounts")
	}
	h := &Handler{auth: cfg.Auth, backend: cfg.Backend, accounts: cfg.Accounts, logger: cfg.Logger, mux: http.NewServeMux()}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if err := h.load(); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	h.mux.HandleFunc("GET /{$}", h.show)
	h.mux.HandleFunc("GET /app/{org}/{flow}", h.show)
	h.mux.HandleFunc("POST /session", h.signIn)
	h.mux.HandleFunc("POST /session/end", h.signOut)
	h.handler = http.NewCrossOriginProtection().Handler(h.mux)
	return h, nil
}

// load reads the page. The browser runs the one script and uses the one style
// sheet that the page came with, known by their hashes, and no other.
func (h *Handler) load() error {
	css, err := files.ReadFile("page.css")
	if err != nil {
		return err
	}
	js, err := files.ReadFile("page.js")
	if err != nil {
		return err
	}
	h.style, h.script = template.CSS(css), template.JS(js)
	h.policy = strings.Join([]string{
		"default-src 'none'",
		"style-src " + sourceHash(css),
		"script-src " + sourceHash(js),
		"connect-src 'self'",
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
	}, "; ")
	h.page, err = template.ParseFS(files, "page.html")
	return err
}

// sourceHash is how a Content-Security-Policy names an inline source.
func sourceHash(b []byte) string {
	sum := sha256.Sum256(b)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Has says whether the request is for this package.
func (h *Handler) Has(r *http.Request) bool {
	_, pattern := h.mux.Handler(r)
	return pattern != ""
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", h.policy)
	head.Set("Cache-Control", "no-store")
	head.Set("Referrer-Policy", "same-origin")
	head.Set("X-Content-Type-Options", "nosniff")
	h.handler.ServeHTTP(w, r)
}

// view is what the page is made of.
type view struct {
	Style  template.CSS
	Script template.JS
	Email  string // what was typed, after a failed sign-in
	Fault  string
	State  *state // nil: nobody is signed in
}

// state is what the script starts from.
type state struct {
	User     wire.User      `json:"user"`
	Flow     *wire.Flow     `json:"flow"` // nil: the user has joined none
	Flows    []wire.Flow    `json:"flows"`
	Messages []wire.Message `json:"messages"`
	Cursor   string         `json:"cursor"`
}

// show is GET of the page.
func (h *Handler) show(w http.ResponseWriter, r *http.Request) {
	grant, err := h.auth.Session(r)
	if errors.Is(err, auth.ErrDenied) {
		h.render(w, http.StatusOK, view{})
		return
	}
	var s *state
	if err == nil {
		s, err = h.state(r, grant.User)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.render(w, http.StatusOK, view{State: s})
}

// state reads the flow that the path names, or else the first that is open.
func (h *Handler) state(r *http.Request, user chat.User) (*state, error) {
	base := wire.BaseOf(r)
	joined, err := h.backend.Joined(r.Context(), user.ID)
	if err != nil {
		return nil, err
	}
	s := &state{User: wire.NewUser(user), Flows: []wire.Flow{}, Messages: []wire.Message{}}
	at := -1
	for i, j := range joined {
		s.Flows = append(s.Flows, wire.NewFlow(j, base))
		if r.PathValue("flow") == "" && at < 0 && j.Open || r.PathValue("org") == j.Flow.Org.Slug && r.PathValue("flow") == j.Flow.Slug {
			at = i
		}
	}
	if at < 0 && r.PathValue("flow") != "" {
		return nil, chat.ErrNotFound
	}
	if at < 0 {
		return s, nil
	}
	s.Flow = &s.Flows[at]
	return s, h.fill(r, s)
}

// fill adds members and the newest messages of the flow, and the cursor that
// the WebSocket goes on from.
func (h *Handler) fill(r *http.Request, s *state) error {
	members, err := h.accounts.Members(r.Context(), s.Flow.ID)
	if err != nil {
		return err
	}
	s.Flow.Users = wire.FlowUsers(members)
	// The cursor first: what is committed in between comes twice, not never.
	sub, err := h.backend.Subscribe(r.Context(), backend.Reader{User: s.User.ID, Flows: []chat.FlowID{s.Flow.ID}})
	if err != nil {
		return err
	}
	s.Cursor = sub.Cursor().String()
	sub.Close()
	events, err := h.backend.Messages(r.Context(), chat.Query{Flow: s.Flow.ID, Limit: newest})
	s.Messages = wire.Messages(events)
	return err
}

func (h *Handler) render(w http.ResponseWriter, status int, v view) {
	v.Style, v.Script = h.style, h.script
	var b bytes.Buffer
	if err := h.page.Execute(&b, v); err != nil {
		h.logger.Error("page not rendered", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may be gone; nobody is left to tell
}

// fail shows an error as the page does.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, known := wire.ProblemOf(err)
	if !known {
		h.logger.Error("page failed", "path", r.URL.Path, "err", err)
	}
	if p.Retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.Retry))
	}
	h.render(w, p.Status, view{Fault: p.Message})
}

// signIn is POST /session.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.fail(w, r, wire.BodyProblem(err))
		return
	}
	email := strings.TrimSpace(r.PostForm.Get("email"))
	grant, err := h.auth.Password(r.Context(), email, r.PostForm.Get("password"))
	if errors.Is(err, auth.ErrDenied) {
		h.render(w, http.StatusUnauthorized, view{Email: email, Fault: "That address and password do not match."})
		return
	}
	var cookie *http.Cookie
	if err == nil {
		cookie, err = h.auth.Begin(r.Context(), grant.User.ID)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	http.SetCookie(w, cookie)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signOut is POST /session/end. What the session keeps open ends with it.
func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	cookie, user, err := h.auth.End(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if user != 0 {
		h.backend.Doubt(r.Context(), user)
	}
	http.SetCookie(w, cookie)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
