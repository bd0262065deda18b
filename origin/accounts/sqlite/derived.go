package sqlite

import (
	"context"
	"database/sql"

	"landfall/origin/chat"
)

// Seen implements chat.Accounts.
func (a *Accounts) Seen(ctx context.Context, flow chat.FlowID, user chat.UserID, seq chat.Seq) error {
	return a.change(ctx, "mark flow "+flow.String()+" seen", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE members SET seen = $1 WHERE flow_id = $2 AND user_id = $3 AND seen < $1`,
			int64(seq), flow.String(), int64(user))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM mentions WHERE flow_id = $1 AND user_id = $2 AND seq <= $3`,
			flow.String(), int64(user), int64(seq))
		return err
	})
}

// Derived implements chat.Accounts.
func (a *Accounts) Derived(ctx context.Context) (map[chat.FlowID]chat.Seq, error) {
	marks := map[chat.FlowID]chat.Seq{}
	err := all(ctx, a.read, "read derived marks", func(rows *sql.Rows) error {
		var flow flowID
		var seq chat.Seq
		err := rows.Scan(&flow, &seq)
		marks[chat.FlowID(flow)] = seq
		return err
	}, `SELECT id, derived FROM flows`)
	return marks, err
}

// Derive implements chat.Accounts.
func (a *Accounts) Derive(ctx context.Context, flow chat.FlowID, from, to chat.Seq, mentions []chat.Mention) (moved bool, err error) {
	err = a.change(ctx, "derive flow "+flow.String(), func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE flows SET derived = $1 WHERE id = $2 AND derived = $3`, int64(to), flow.String(), int64(from))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if moved = n > 0; err != nil || !moved {
			return err
		}
		for _, m := range mentions {
			if err := count(ctx, tx, flow, m); err != nil {
				return err
			}
		}
		return nil
	})
	return moved && err == nil, err
}

// count counts a mention for those who have not seen it yet.
func count(ctx context.Context, tx *sql.Tx, flow chat.FlowID, m chat.Mention) error {
	who, id := `user_id = $3`, m.User
	if m.User == 0 {
		who, id = `user_id <> $3`, m.By
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO mentions (flow_id, user_id, seq)
		SELECT flow_id, user_id, $2 FROM members WHERE flow_id = $1 AND seen < $2 AND `+who+` ON CONFLICT DO NOTHING`,
		flow.String(), int64(m.Seq), int64(id))
	return err
}

// Announcements implements chat.Accounts.
func (a *Accounts) Announcements(ctx context.Context, limit int) (out []chat.Announcement, err error) {
	err = all(ctx, a.read, "read announcements", func(rows *sql.Rows) error {
		var n chat.Announcement
		var at int64
		err := rows.Scan(&n.UUID, (*flowID)(&n.Flow), &n.User, &n.Type, &at)
		n.When = fromMillis(at)
		out = append(out, n)
		return err
	}, `SELECT uuid, flow_id, user_id, type, at FROM announcements ORDER BY n LIMIT $1`, limit)
	return out, err
}

// Withdraw implements chat.Accounts.
func (a *Accounts) Withdraw(ctx context.Context, uuid string) error {
	return a.change(ctx, "withdraw announcement "+uuid, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM announcements WHERE uuid = $1`, uuid)
		return err
	})
}
