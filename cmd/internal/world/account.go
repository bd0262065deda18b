package world

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"landfall/cmd/internal/node"
	"landfall/origin"
)

// Account is how to sign in to the chat of a world.
type Account struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Token    string `json:"token"`
	Flow     string `json:"flow"` // for people: ORGANIZATION/FLOW
	Tour     string `json:"tour"` // for what the tour writes
}

// The organization of a world and its flows: one for people, and one for what
// the tour writes.
const (
	organization = "Harbour"
	flow         = "Main"
	tourFlow     = "Tour"
)

// signUp makes the first user at first start. A world that keeps its state
// keeps the account in a file too, so that the next start can show it: the
// chat itself has only hashes.
func signUp(ctx context.Context, chat *origin.Server, file string) (Account, error) {
	c, created, err := chat.EnsureFirst(ctx, origin.First{Organization: organization, Flows: []string{flow, tourFlow}})
	if err != nil {
		return Account{}, err
	}
	if !created {
		a, err := readAccount(file)
		if !errors.Is(err, fs.ErrNotExist) {
			return a, err
		}
		// The file is lost, or the first start ended before it was written.
		// Whoever may write here may sign up another admin.
		if c, err = chat.AddUser(ctx, strings.ToLower(organization), anotherAdmin()); err != nil {
			return Account{}, err
		}
	}
	of := func(name string) string { return c.Organization + "/" + strings.ToLower(name) }
	a := Account{c.Email, c.Password, c.Token, of(flow), of(tourFlow)}
	b, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return Account{}, err
	}
	return a, node.WriteFile(file, append(b, '\n'), 0o600)
}

func anotherAdmin() origin.Person {
	nick := "admin-" + strings.ToLower(rand.Text()[:6])
	return origin.Person{Email: nick + "@localhost", Nick: nick, Admin: true}
}

func readAccount(file string) (a Account, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return Account{}, err
	}
	if err := json.Unmarshal(b, &a); err != nil || a.Token == "" || a.Flow == "" || a.Tour == "" {
		return Account{}, fmt.Errorf("%s: not an account (remove it: the next start signs up another one)", file)
	}
	return a, nil
}
