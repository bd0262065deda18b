package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"landfall/origin/chat"
)

// Found implements chat.Accounts.
func (a *Accounts) Found(ctx context.Context, f chat.Founding) (bool, error) {
	made := false
	err := a.change(ctx, "found organization "+f.Org.Slug, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM organizations`).Scan(&n); err != nil || n > 0 {
			return err
		}
		made = true
		return found(ctx, tx, f)
	})
	return made && err == nil, err
}

func found(ctx context.Context, tx *sql.Tx, f chat.Founding) error {
	row := tx.QueryRowContext(ctx, `INSERT INTO organizations (slug, name, user_limit, active) VALUES ($1, $2, $3, $4) RETURNING id`,
		f.Org.Slug, f.Org.Name, f.Org.UserLimit, true)
	if err := row.Scan(&f.Org.ID); err != nil {
		return err
	}
	u, err := addUser(ctx, tx, f.Org.ID, f.User)
	if err != nil {
		return err
	}
	f.Token.User = u.ID
	if err := addToken(ctx, tx, f.Token); err != nil {
		return err
	}
	for i, flow := range f.Flows {
		flow.Org.ID = f.Org.ID
		f.Joins[i].User = u.ID
		if err := addFlow(ctx, tx, flow, f.Joins[i]); err != nil {
			return err
		}
	}
	return nil
}

// AddUser implements chat.Accounts.
func (a *Accounts) AddUser(ctx context.Context, org chat.OrgID, u chat.NewUser) (made chat.User, err error) {
	err = a.change(ctx, "add user "+u.Email, func(tx *sql.Tx) (err error) {
		made, err = addUser(ctx, tx, org, u)
		return err
	})
	return made, err
}

func addUser(ctx context.Context, tx *sql.Tx, org chat.OrgID, u chat.NewUser) (chat.User, error) {
	var limit, count int
	row := tx.QueryRowContext(ctx, `SELECT user_limit, (SELECT count(*) FROM colleagues WHERE org_id = o.id) FROM organizations o WHERE id = $1`, int64(org))
	if err := one(row, "read user limit", &limit, &count); err != nil {
		return chat.User{}, err
	}
	if count >= limit {
		return chat.User{}, chat.ErrFull
	}
	u.Email = strings.ToLower(u.Email)
	row = tx.QueryRowContext(ctx, `INSERT INTO users (email, nick, name, website, password, disabled)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id`,
		u.Email, u.Nick, u.Name, u.Website, u.Password, u.Disabled)
	if err := taken(one(row, "insert user", &u.ID)); err != nil {
		return chat.User{}, err
	}
	var id int64
	row = tx.QueryRowContext(ctx, `INSERT INTO colleagues (org_id, user_id, lower_nick, admin)
		VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING user_id`,
		int64(org), int64(u.ID), strings.ToLower(u.Nick), u.Admin)
	return u.User, taken(one(row, "insert colleague", &id))
}

// taken turns the missing row of an insert that met a conflict into ErrTaken.
func taken(err error) error {
	if errors.Is(err, chat.ErrNotFound) {
		return chat.ErrTaken
	}
	return err
}

const userColumns = `u.id, u.email, u.nick, u.name, u.website, u.disabled`

func userFields(u *chat.User) []any {
	return []any{&u.ID, &u.Email, &u.Nick, &u.Name, &u.Website, &u.Disabled}
}

// User implements chat.Accounts.
func (a *Accounts) User(ctx context.Context, id chat.UserID) (u chat.User, err error) {
	row := a.read.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, int64(id))
	return u, one(row, "read user", userFields(&u)...)
}

// Password implements chat.Accounts.
func (a *Accounts) Password(ctx context.Context, email string) (u chat.User, hash string, err error) {
	row := a.read.QueryRowContext(ctx, `SELECT `+userColumns+`, u.password FROM users u WHERE u.email = $1`, strings.ToLower(email))
	return u, hash, one(row, "read password", append(userFields(&u), &hash)...)
}

// AddToken implements chat.Accounts.
func (a *Accounts) AddToken(ctx context.Context, t chat.Token) error {
	return a.change(ctx, "add token", func(tx *sql.Tx) error { return addToken(ctx, tx, t) })
}

func addToken(ctx context.Context, tx *sql.Tx, t chat.Token) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO tokens (hash, user_id, kind, expires) VALUES ($1, $2, $3, $4)`,
		t.Hash, int64(t.User), string(t.Kind), millis(t.Expires))
	return err
}

// Token implements chat.Accounts.
func (a *Accounts) Token(ctx context.Context, hash string) (chat.Token, error) {
	t, expires := chat.Token{Hash: hash}, int64(0)
	row := a.read.QueryRowContext(ctx, `SELECT user_id, kind, expires FROM tokens WHERE hash = $1`, hash)
	err := one(row, "read token", &t.User, &t.Kind, &expires)
	t.Expires = fromMillis(expires)
	return t, err
}

// DropToken implements chat.Accounts.
func (a *Accounts) DropToken(ctx context.Context, hash string) error {
	return a.change(ctx, "drop token", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE hash = $1`, hash)
		return err
	})
}

// DropExpired implements chat.Accounts.
func (a *Accounts) DropExpired(ctx context.Context, before time.Time) error {
	return a.change(ctx, "drop expired tokens", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE expires > 0 AND expires < $1`, millis(before))
		return err
	})
}

const orgColumns = `o.id, o.slug, o.name, o.user_limit, o.active, (SELECT count(*) FROM colleagues n WHERE n.org_id = o.id)`

func orgFields(o *chat.Organization) []any {
	return []any{&o.ID, &o.Slug, &o.Name, &o.UserLimit, &o.Active, &o.UserCount}
}

// Organization implements chat.Accounts.
func (a *Accounts) Organization(ctx context.Context, slug string) (o chat.Organization, err error) {
	row := a.read.QueryRowContext(ctx, `SELECT `+orgColumns+` FROM organizations o WHERE o.slug = $1`, slug)
	return o, one(row, "read organization", orgFields(&o)...)
}

// Organizations implements chat.Accounts.
func (a *Accounts) Organizations(ctx context.Context, user chat.UserID) (orgs []chat.Organization, err error) {
	err = all(ctx, a.read, "read organizations", func(rows *sql.Rows) error {
		var o chat.Organization
		err := rows.Scan(orgFields(&o)...)
		orgs = append(orgs, o)
		return err
	}, `SELECT `+orgColumns+` FROM organizations o JOIN colleagues c ON c.org_id = o.id WHERE c.user_id = $1 ORDER BY o.id`, int64(user))
	return orgs, err
}

// Colleagues implements chat.Accounts.
func (a *Accounts) Colleagues(ctx context.Context, org chat.OrgID) (users []chat.Colleague, err error) {
	err = all(ctx, a.read, "read colleagues", func(rows *sql.Rows) error {
		var c chat.Colleague
		err := rows.Scan(append(userFields(&c.User), &c.Admin)...)
		users = append(users, c)
		return err
	}, `SELECT `+userColumns+`, c.admin FROM users u JOIN colleagues c ON c.user_id = u.id WHERE c.org_id = $1 ORDER BY u.id`, int64(org))
	return users, err
}
