package api

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"landfall/origin/auth"
	"landfall/origin/backend"
	"landfall/origin/chat"
	"landfall/origin/wire"
)

// Config is what an API needs.
type Config struct {
	Auth     *auth.Auth
	Backend  *backend.Backend
	Accounts chat.Accounts
	Logger   *slog.Logger // nil: silent
}

// API serves the REST API at the root of a host.
type API struct {
	auth     *auth.Auth
	backend  *backend.Backend
	accounts chat.Accounts
	logger   *slog.Logger
	mux      *http.ServeMux
}

// New makes an API.
func New(cfg Config) (*API, error) {
	if cfg.Auth == nil || cfg.Backend == nil || cfg.Accounts == nil {
		return nil, errors.New("api: needs auth, a message backend and accounts")
	}
	a := &API{auth: cfg.Auth, backend: cfg.Backend, accounts: cfg.Accounts, logger: cfg.Logger, mux: http.NewServeMux()}
	if a.logger == nil {
		a.logger = slog.New(slog.DiscardHandler)
	}
	a.routes()
	return a, nil
}

// routes are the resources that there are.
func (a *API) routes() {
	a.handle("GET /user", a.self)
	a.handle("GET /users", a.users)
	a.handle("GET /users/{id}", a.user)

	a.handle("GET /organizations", a.organizations)
	a.handle("GET /organizations/find", a.findOrganization)
	a.handle("GET /organizations/{org}", a.organization)
	a.handle("GET /organizations/{org}/users", a.organizationUsers)

	a.handle("GET /flows", a.joinedFlows)
	a.handle("GET /flows/all", a.allFlows)
	a.handle("GET /flows/find", a.findFlow)
	a.handle("GET /flows/{org}", a.organizationFlows)
	a.handle("POST /flows/{org}", a.addFlow)
	a.handle("GET /flows/{org}/{flow}", a.flow)
	a.handle("PUT /flows/{org}/{flow}", a.openFlow)
	a.handle("GET /flows/{org}/{flow}/users", a.flowUsers)
	a.handle("POST /flows/{org}/{flow}/users", a.addFlowUser)

	a.handle("POST /messages", a.post)
	a.handle("POST /comments", a.comment)
	a.handle("POST /flows/{org}/{flow}/messages", a.post)
	a.handle("GET /flows/{org}/{flow}/messages", a.messages)
	a.handle("GET /flows/{org}/{flow}/messages/{id}", a.message)
	a.handle("PUT /flows/{org}/{flow}/messages/{id}", a.change)
	a.handle("DELETE /flows/{org}/{flow}/messages/{id}", a.remove)
	a.handle("POST /flows/{org}/{flow}/messages/{id}/comments", a.comment)
	a.handle("GET /flows/{org}/{flow}/threads/{thread}/messages", a.messages)
	a.handle("POST /flows/{org}/{flow}/threads/{thread}/messages", a.post)
}

// Has says whether the API has a resource for the request, under the root or
// under /v1.
func (a *API) Has(r *http.Request) bool {
	_, pattern := a.mux.Handler(unversioned(r))
	return pattern != ""
}

// ServeHTTP implements http.Handler. Everything is there twice: some clients
// put /v1 before the path.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if wire.CORS(w, r) {
		return
	}
	r = unversioned(r)
	if !a.Has(r) {
		wire.ReplyProblem(w, r, wire.NewProblem(http.StatusNotFound, "Not found"))
		return
	}
	a.mux.ServeHTTP(w, r)
}

func unversioned(r *http.Request) *http.Request {
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if !ok {
		return r
	}
	u := *r.URL
	u.Path, u.RawPath = "/"+rest, strings.TrimPrefix(u.RawPath, "/v1")
	out := *r
	out.URL = &u
	return &out
}

// call is an authenticated request.
type call struct {
	*http.Request
	w    http.ResponseWriter
	user chat.User
	base wire.Base
}

// handle registers a handler that returns its errors.
func (a *API) handle(pattern string, h func(*call) error) {
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := a.serve(w, r, h); err != nil {
			a.fail(w, r, err)
		}
	})
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, h func(*call) error) error {
	w.Header().Set("Cache-Control", "no-store")
	if wire.Forged(r) {
		return wire.NewProblem(http.StatusForbidden, "Another site's page may not do this with the browser's credentials")
	}
	grant, err := a.auth.Request(r)
	if err != nil {
		return err
	}
	user := grant.User
	w.Header().Set("Flowdock-User", strconv.FormatInt(int64(user.ID), 10))
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	return h(&call{Request: r, w: w, user: user, base: wire.BaseOf(r)})
}

// fail answers with an error; the cause of our own faults goes to the log.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, known := wire.ProblemOf(err)
	if !known {
		a.logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	wire.ReplyProblem(w, r, p)
}

func (c *call) reply(status int, v any) error { return wire.Reply(c.w, status, v) }

// id reads a number from the path; what is no number is not there.
func (c *call) id(name string) (int64, error) {
	n, err := strconv.ParseInt(c.PathValue(name), 10, 64)
	if err != nil || n <= 0 {
		return 0, chat.ErrNotFound
	}
	return n, nil
}

// ref is the flow that the path names.
func (c *call) ref() chat.FlowRef {
	return chat.FlowRef{Org: strings.ToLower(c.PathValue("org")), Slug: strings.ToLower(c.PathValue("flow"))}
}
