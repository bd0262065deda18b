package backend

import (
	"context"
	"fmt"
	"time"

	"landfall/origin/chat"
)

// recheck is how often a reader is looked at again without a reason: what
// changed the accounts may not have told, or the bus may have lost it.
const recheck = 30 * time.Second

// Reader is who subscribes to what.
type Reader struct {
	User  chat.UserID
	Flows []chat.FlowID // all of which the user may enter
	From  chat.Cursor   // where the reader was

	// Holds is nil while what the user showed to be let in is still good. A
	// subscription ends when it is not, or when the user may not enter one
	// of the flows any more. A nil Holds is for who only looks around.
	Holds func(context.Context) error
}

// Doubt says that what the user may do has changed. Subscriptions that would
// not be given today end.
func (b *Backend) Doubt(ctx context.Context, user chat.UserID) {
	if err := b.bus.Publish(context.WithoutCancel(ctx), chat.Signal{User: user}); err != nil {
		b.logger.Warn("change of accounts not published; it will be found in a while", "user", user, "err", err)
	}
}

// Verify ends the subscription unless what the user showed is still good.
func (s *Subscription) Verify(ctx context.Context) error {
	if s.reader.Holds == nil {
		return nil
	}
	err := s.reader.Holds(ctx)
	if err != nil {
		s.cancel(err)
	}
	return err
}

// due says whether it is time to look at the reader. Backend.mu is held.
func (s *Subscription) due() bool {
	return s.reader.Holds != nil && (s.doubt || time.Since(s.checked) >= recheck)
}

// check looks at the reader when it is time to, and ends the subscription of
// one who would not be let in today.
func (s *Subscription) check() error {
	s.b.mu.Lock()
	due := s.due()
	if due {
		s.doubt, s.checked = false, time.Now()
	}
	s.b.mu.Unlock()
	if !due {
		return nil
	}
	if err := s.Verify(s.ctx); err != nil {
		return err
	}
	err := s.mayEnter()
	if err != nil {
		s.cancel(err)
	}
	return err
}

func (s *Subscription) mayEnter() error {
	joined, err := s.b.Joined(s.ctx, s.reader.User)
	if err != nil {
		return err
	}
	may := make(map[chat.FlowID]bool, len(joined))
	for _, j := range joined {
		may[j.Flow.ID] = true
	}
	for _, flow := range s.reader.Flows {
		if !may[flow] {
			return fmt.Errorf("flow %s: %w", flow, chat.ErrForbidden)
		}
	}
	return nil
}
