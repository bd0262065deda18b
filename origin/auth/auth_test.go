package auth_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"landfall/origin/auth"
	"landfall/origin/chat"
	"landfall/origin/origintest"
)

func TestPasswordHashes(t *testing.T) {
	password := auth.NewPassword()
	hash := auth.HashPassword(password)
	if !strings.HasPrefix(hash, "$argon2id$v=19$") || strings.Contains(hash, password) || hash == auth.HashPassword(password) {
		t.Errorf("hash %s", hash)
	}
	if !auth.CheckPassword(hash, password) || auth.CheckPassword(hash, password+"x") || auth.CheckPassword(hash, "") {
		t.Error("CheckPassword is wrong")
	}
	for name, bad := range map[string]string{
		"empty":       "",
		"other kind":  strings.Replace(hash, "argon2id", "argon2i", 1),
		"far too big": strings.Replace(hash, "m=19456", "m=4294967295", 1),
		"no threads":  strings.Replace(hash, "p=1", "p=0", 1),
		"cut off":     hash[:len(hash)-30],
		"not base64":  hash[:len(hash)-1] + "!",
	} {
		if auth.CheckPassword(bad, password) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTokensDoNotRepeat(t *testing.T) {
	a, b := auth.NewToken(), auth.NewToken()
	if len(a) != 32 || a == b || strings.Trim(a, "0123456789abcdef") != "" || auth.HashToken(a) == auth.HashToken(b) {
		t.Errorf("tokens %s %s", a, b)
	}
}

// clock is a clock that tests set.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time { return time.UnixMilli(c.at.Load()) }

func TestSessions(t *testing.T) {
	k := origintest.New(t)
	c := &clock{}
	c.at.Store(1_700_000_000_000)
	a, err := auth.New(k.Accounts, c.now)
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := a.Begin(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("cookie %v", cookie)
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.AddCookie(cookie)
	if g, err := a.Session(r); err != nil || g.User.Nick != "bob" {
		t.Errorf("Session = %v, %v", g, err)
	}
	if _, err := a.Request(r); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("a cookie counts for the API: %v", err)
	}
	c.at.Add(auth.SessionLife.Milliseconds())
	if _, err := a.Session(r); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("expired session: %v", err)
	}
	c.at.Add(-1000)
	if gone, user, err := a.End(r); err != nil || gone.MaxAge >= 0 || user != 2 {
		t.Errorf("End = %v, %v", gone, err)
	}
	if _, err := a.Session(r); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("ended session: %v", err)
	}
}

func TestDisabledUsersAreDenied(t *testing.T) {
	k := origintest.New(t)
	off := chat.NewUser{User: chat.User{Email: "off@acme.test", Nick: "off", Disabled: true}, Password: auth.HashPassword("pw")}
	u, err := k.Accounts.AddUser(t.Context(), 1, off)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Accounts.AddToken(t.Context(), chat.Token{Hash: auth.HashToken("tok"), User: u.ID, Kind: chat.TokenAPI}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Auth.Token(t.Context(), "tok"); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("token: %v", err)
	}
	if _, err := k.Auth.Password(t.Context(), "off@acme.test", "pw"); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("password: %v", err)
	}
	if n := k.Auth.Denied(); n != 2 {
		t.Errorf("%d denied", n)
	}
}
