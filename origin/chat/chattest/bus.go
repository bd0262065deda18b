package chattest

import (
	"sync"
	"testing"

	"landfall/origin/chat"
)

// BusSuite holds a chat.Bus to its contract. settle waits until what was
// published has arrived.
func BusSuite(t *testing.T, open func(t *testing.T) (b chat.Bus, settle func())) {
	t.Run("SubscribersOfTheFlowHear", func(t *testing.T) { busHear(t, open) })
	t.Run("NobodyHearsAfterCancel", func(t *testing.T) { busCancel(t, open) })
	t.Run("HearersMayUseTheBus", func(t *testing.T) { busReentry(t, open) })
}

// ear notes what it hears.
type ear struct {
	mu    sync.Mutex
	heard []chat.Signal
}

func (e *ear) hear(s chat.Signal) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, s)
}

func (e *ear) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.heard)
}

func publish(t *testing.T, b chat.Bus, s chat.Signal) {
	t.Helper()
	if err := b.Publish(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func busHear(t *testing.T, open func(t *testing.T) (chat.Bus, func())) {
	b, settle := open(t)
	var first, second, other ear
	defer b.Subscribe(FlowID(1), first.hear)()
	defer b.Subscribe(FlowID(1), second.hear)()
	defer b.Subscribe(FlowID(2), other.hear)()
	typing := chat.Typing(FlowID(1), 7, Event(FlowID(1), "u", "x").Sent)
	publish(t, b, chat.Signal{Flow: FlowID(1), Head: 5})
	publish(t, b, chat.Signal{Flow: FlowID(1), Ephemeral: &typing})
	settle()
	for _, e := range []*ear{&first, &second} {
		if e.count() != 2 || e.heard[0].Head != 5 || e.heard[1].Ephemeral == nil || document(t, *e.heard[1].Ephemeral) != document(t, typing) {
			t.Errorf("heard %+v", e.heard)
		}
	}
	if other.count() != 0 {
		t.Errorf("another flow heard %+v", other.heard)
	}
}

func busCancel(t *testing.T, open func(t *testing.T) (chat.Bus, func())) {
	b, settle := open(t)
	var stays, leaves ear
	defer b.Subscribe(FlowID(1), stays.hear)()
	cancel := b.Subscribe(FlowID(1), leaves.hear)
	cancel()
	cancel() // twice is once
	publish(t, b, chat.Signal{Flow: FlowID(1), Head: 1})
	settle()
	if stays.count() != 1 || leaves.count() != 0 {
		t.Errorf("the one who stayed heard %d, the one who left %d", stays.count(), leaves.count())
	}
}

func busReentry(t *testing.T, open func(t *testing.T) (chat.Bus, func())) {
	b, settle := open(t)
	var inner ear
	var once sync.Once
	cancel := b.Subscribe(FlowID(1), func(chat.Signal) {
		once.Do(func() { b.Subscribe(FlowID(2), inner.hear) })
	})
	defer cancel()
	publish(t, b, chat.Signal{Flow: FlowID(1), Head: 1})
	settle()
	publish(t, b, chat.Signal{Flow: FlowID(2), Head: 1})
	settle()
	if inner.count() != 1 {
		t.Errorf("heard %d", inner.count())
	}
}
