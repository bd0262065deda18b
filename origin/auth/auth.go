package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"landfall/origin/chat"
)

// ErrDenied says that credentials are missing or wrong.
var ErrDenied = errors.New("credentials are missing or wrong")

// ErrBusy says that too many passwords are being checked already.
var ErrBusy = errors.New("too many sign-ins at once: try again in a few seconds")

// SessionCookie holds a browser's session. The prefix makes browsers insist
// that it is Secure, for this host alone, and for all its paths.
const SessionCookie = "__Host-landfall"

// SessionLife is how long a session lasts after sign-in.
const SessionLife = 30 * 24 * time.Hour

// Auth checks credentials against accounts.
type Auth struct {
	accounts  chat.Accounts
	now       func() time.Time
	passwords *passwords
	denied    atomic.Uint64
}

// New makes an Auth. now is the clock; nil means time.Now.
func New(accounts chat.Accounts, now func() time.Time) (*Auth, error) {
	if accounts == nil {
		return nil, errors.New("auth: no accounts given")
	}
	if now == nil {
		now = time.Now
	}
	return &Auth{accounts: accounts, now: now, passwords: newPasswords(now)}, nil
}

// Denied counts the credentials that were wrong.
func (a *Auth) Denied() uint64 { return a.denied.Load() }

// Grant is somebody who was let in, with what they showed for it.
type Grant struct {
	User     chat.User
	kind     chat.TokenKind // empty: it was a password
	evidence string         // the hash of the token or password
}

// Request finds the user that an API request comes from. Cookies do not
// count here, so that a page elsewhere cannot use somebody's session.
func (a *Auth) Request(r *http.Request) (Grant, error) {
	if name, password, ok := r.BasicAuth(); ok {
		if strings.Contains(name, "@") {
			return a.Password(r.Context(), name, password)
		}
		return a.Token(r.Context(), name) // clients put anything into the password
	}
	if token := bearer(r); token != "" {
		return a.Token(r.Context(), token)
	}
	if token := r.URL.Query().Get("access_token"); token != "" {
		return a.Token(r.Context(), token)
	}
	return Grant{}, ErrDenied
}

// bearer is the token of an Authorization header (RFC 6750, 2.1).
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Session finds the user of a browser's session cookie.
func (a *Auth) Session(r *http.Request) (Grant, error) {
	c, err := r.Cookie(SessionCookie)
	if err != nil {
		return Grant{}, ErrDenied
	}
	return a.find(r.Context(), HashToken(c.Value), chat.TokenSession)
}

// Token finds the user of an API token.
func (a *Auth) Token(ctx context.Context, token string) (Grant, error) {
	return a.find(ctx, HashToken(token), chat.TokenAPI)
}

func (a *Auth) find(ctx context.Context, hash string, kind chat.TokenKind) (Grant, error) {
	t, err := a.accounts.Token(ctx, hash)
	switch {
	case errors.Is(err, chat.ErrNotFound):
		return a.deny()
	case err != nil:
		return Grant{}, err
	case t.Kind != kind, !t.Expires.IsZero() && !a.now().Before(t.Expires):
		return a.deny()
	}
	u, err := a.accounts.User(ctx, t.User)
	if err != nil {
		return Grant{}, err
	}
	if u.Disabled {
		return a.deny()
	}
	return Grant{User: u, kind: kind, evidence: hash}, nil
}

// Holds is nil while the grant would still be given: the token is there, or
// the password is the same, and the user is not disabled.
func (a *Auth) Holds(ctx context.Context, g Grant) error {
	if g.kind != "" {
		_, err := a.find(ctx, g.evidence, g.kind)
		return err
	}
	u, hash, err := a.accounts.Password(ctx, g.User.Email)
	if errors.Is(err, chat.ErrNotFound) || err == nil && (hash != g.evidence || u.Disabled) {
		return ErrDenied
	}
	return err
}

func (a *Auth) deny() (Grant, error) {
	a.denied.Add(1)
	return Grant{}, ErrDenied
}

// Begin starts a session for a user and returns its cookie. Sessions that are
// over are forgotten meanwhile: there are never many more than sign-ins within
// SessionLife.
func (a *Auth) Begin(ctx context.Context, user chat.UserID) (*http.Cookie, error) {
	secret := NewToken()
	t := chat.Token{Hash: HashToken(secret), User: user, Kind: chat.TokenSession, Expires: a.now().Add(SessionLife)}
	if err := a.accounts.AddToken(ctx, t); err != nil {
		return nil, fmt.Errorf("begin session: %w", err)
	}
	if err := a.accounts.DropExpired(ctx, a.now()); err != nil {
		return nil, fmt.Errorf("begin session: %w", err)
	}
	c := sessionCookie()
	c.Value, c.MaxAge = secret, int(SessionLife.Seconds())
	return c, nil
}

// End ends the session of a request, if it has one, and returns whose it was
// and the cookie that makes the browser forget it. Tokens that are no
// sessions stay, whatever cookie they come in.
func (a *Auth) End(r *http.Request) (*http.Cookie, chat.UserID, error) {
	gone := sessionCookie()
	gone.MaxAge = -1
	g, err := a.Session(r)
	if errors.Is(err, ErrDenied) {
		return gone, 0, nil
	}
	if err == nil {
		err = a.accounts.DropToken(r.Context(), g.evidence)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("end session: %w", err)
	}
	return gone, g.User.ID, nil
}

func sessionCookie() *http.Cookie {
	return &http.Cookie{Name: SessionCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}
