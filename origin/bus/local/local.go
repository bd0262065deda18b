// Package local is the bus of an origin that is one process: a signal goes in
// and is handed to every subscriber of its flow before Publish returns.
// Nothing is queued and nothing leaves the process.
package local

import (
	"context"
	"maps"
	"slices"
	"sync"

	"landfall/origin/chat"
)

// Bus is a chat.Bus within a process. The zero Bus is ready.
type Bus struct {
	mu   sync.Mutex
	hear map[chat.FlowID]map[int]func(chat.Signal)
	last int // number of the newest subscription
}

var _ chat.Bus = (*Bus)(nil)

// Publish implements chat.Bus.
func (b *Bus) Publish(_ context.Context, s chat.Signal) error {
	b.mu.Lock()
	hearers := slices.Collect(maps.Values(b.hear[s.Flow]))
	b.mu.Unlock()
	for _, hear := range hearers {
		hear(s)
	}
	return nil
}

// Subscribe implements chat.Bus.
func (b *Bus) Subscribe(flow chat.FlowID, hear func(chat.Signal)) (cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hear == nil {
		b.hear = map[chat.FlowID]map[int]func(chat.Signal){}
	}
	if b.hear[flow] == nil {
		b.hear[flow] = map[int]func(chat.Signal){}
	}
	b.last++
	id := b.last
	b.hear[flow][id] = hear
	return func() { b.cancel(flow, id) }
}

func (b *Bus) cancel(flow chat.FlowID, id int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.hear[flow], id)
	if len(b.hear[flow]) == 0 {
		delete(b.hear, flow)
	}
}
