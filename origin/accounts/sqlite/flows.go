package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"landfall/origin/chat"
)

// AddFlow implements chat.Accounts.
func (a *Accounts) AddFlow(ctx context.Context, f chat.Flow, first chat.Join) error {
	return a.change(ctx, "add flow "+f.Slug, func(tx *sql.Tx) error { return addFlow(ctx, tx, f, first) })
}

func addFlow(ctx context.Context, tx *sql.Tx, f chat.Flow, first chat.Join) error {
	var id flowID
	row := tx.QueryRowContext(ctx, `INSERT INTO flows (id, org_id, slug, name, access, archived, derived)
		VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT DO NOTHING RETURNING id`,
		f.ID.String(), int64(f.Org.ID), f.Slug, f.Name, string(f.Access), f.Archived)
	if err := taken(one(row, "insert flow", &id)); err != nil {
		return err
	}
	return join(ctx, tx, f.ID, first)
}

// Join implements chat.Accounts.
func (a *Accounts) Join(ctx context.Context, flow chat.FlowID, j chat.Join) error {
	return a.change(ctx, "join flow "+flow.String(), func(tx *sql.Tx) error { return join(ctx, tx, flow, j) })
}

func join(ctx context.Context, tx *sql.Tx, flow chat.FlowID, j chat.Join) error {
	var id flowID
	row := tx.QueryRowContext(ctx, `INSERT INTO members (flow_id, user_id, joined, open, seen)
		VALUES ($1, $2, $3, $4, 0) ON CONFLICT DO NOTHING RETURNING flow_id`,
		flow.String(), int64(j.User), millis(j.When), true)
	if err := one(row, "insert member", &id); errors.Is(err, chat.ErrNotFound) {
		return nil // a member already
	} else if err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO announcements (uuid, flow_id, user_id, type, at) VALUES ($1, $2, $3, $4, $5)`,
		j.UUID, flow.String(), int64(j.User), "join", millis(j.When))
	return err
}

// SetOpen implements chat.Accounts.
func (a *Accounts) SetOpen(ctx context.Context, flow chat.FlowID, user chat.UserID, open bool) error {
	return a.change(ctx, "open flow "+flow.String(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE members SET open = $1 WHERE flow_id = $2 AND user_id = $3`, open, flow.String(), int64(user))
		return err
	})
}

// standing reads flows as the user $1 stands to them.
const standing = `SELECT f.id, f.slug, f.name, f.access, f.archived, ` + orgColumns + `,
		c.user_id IS NOT NULL, m.user_id IS NOT NULL, COALESCE(m.open, FALSE),
		(SELECT count(*) FROM mentions n WHERE n.flow_id = f.id AND n.user_id = $1)
	FROM flows f
	JOIN organizations o ON o.id = f.org_id
	LEFT JOIN colleagues c ON c.org_id = f.org_id AND c.user_id = $1
	LEFT JOIN members m ON m.flow_id = f.id AND m.user_id = $1 `

func standingFields(s *chat.Standing) []any {
	f := &s.Flow
	fields := append([]any{(*flowID)(&f.ID), &f.Slug, &f.Name, &f.Access, &f.Archived}, orgFields(&f.Org)...)
	return append(fields, &s.Colleague, &s.Joined, &s.Open, &s.Unread)
}

// Standings implements chat.Accounts.
func (a *Accounts) Standings(ctx context.Context, user chat.UserID) (out []chat.Standing, err error) {
	err = all(ctx, a.read, "read flows", func(rows *sql.Rows) error {
		var s chat.Standing
		err := rows.Scan(standingFields(&s)...)
		out = append(out, s)
		return err
	}, standing+`WHERE c.user_id IS NOT NULL ORDER BY o.slug, f.slug`, int64(user))
	return out, err
}

// Standing implements chat.Accounts.
func (a *Accounts) Standing(ctx context.Context, user chat.UserID, ref chat.FlowRef) (s chat.Standing, err error) {
	var row *sql.Row
	if ref.ID != (chat.FlowID{}) {
		row = a.read.QueryRowContext(ctx, standing+`WHERE f.id = $2`, int64(user), ref.ID.String())
	} else {
		row = a.read.QueryRowContext(ctx, standing+`WHERE o.slug = $2 AND f.slug = $3`, int64(user), ref.Org, ref.Slug)
	}
	return s, one(row, "read flow", standingFields(&s)...)
}

// Members implements chat.Accounts.
func (a *Accounts) Members(ctx context.Context, flow chat.FlowID) (members []chat.Member, err error) {
	err = all(ctx, a.read, "read members", func(rows *sql.Rows) error {
		var m chat.Member
		var joined int64
		err := rows.Scan(append(userFields(&m.User), &joined)...)
		m.Joined = fromMillis(joined)
		members = append(members, m)
		return err
	}, `SELECT `+userColumns+`, m.joined FROM users u JOIN members m ON m.user_id = u.id WHERE m.flow_id = $1 ORDER BY u.id`, flow.String())
	return members, err
}
