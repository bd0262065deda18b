package budget

import (
	"errors"
	"testing"
	"time"
)

func TestBudgetIsSpentAndComesBack(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	b := Budget[string]{Burst: 3, Every: 10 * time.Second, Now: func() time.Time { return now }}
	take := func(key string, want time.Duration) {
		t.Helper()
		err := b.Take(key)
		spent, _ := errors.AsType[*Spent](err)
		if (want == 0) != (err == nil) || spent != nil && spent.After != want {
			t.Errorf("Take(%s) = %v, want to wait for %v", key, err, want)
		}
	}
	for range 3 {
		take("a", 0)
	}
	take("a", 10*time.Second)
	take("b", 0)
	now = now.Add(4 * time.Second)
	take("a", 6*time.Second)
	b.Return("a")
	take("a", 0)
	now = now.Add(time.Hour)
	for range 3 {
		take("a", 0)
	}
	take("a", 10*time.Second)
	b.Return("who never took")
	take("who never took", 0)
}

func TestABoundedNumberIsKept(t *testing.T) {
	b := Budget[int]{Burst: 1, Every: time.Hour, Now: time.Now}
	for i := range 2 * maxKeys {
		if err := b.Take(i); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.full) > maxKeys {
		t.Errorf("%d keys are kept", len(b.full))
	}
	now := time.Unix(1_700_000_000, 0)
	r := Recent[int]{Life: time.Minute, Now: func() time.Time { return now }}
	for i := range 2 * maxKeys {
		r.Add(i)
	}
	if len(r.until) > maxKeys || !r.Has(2*maxKeys-1) {
		t.Errorf("%d keys are kept, the last one: %v", len(r.until), r.Has(2*maxKeys-1))
	}
	now = now.Add(time.Minute)
	if r.Has(2*maxKeys - 1) {
		t.Error("a key is kept for longer than its life")
	}
}
