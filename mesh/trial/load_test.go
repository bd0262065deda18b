package trial

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"landfall"
)

// load is traffic between edge and origin: requests, each answered at once,
// and messages of many streams both ways. Nothing is ever sent again.
type load struct {
	w    *world
	done chan struct{}
	work sync.WaitGroup

	mu   sync.Mutex
	sent map[string][]parcel // in the order of their numbers
}

// parcel is a request or a message.
type parcel struct {
	at   time.Time
	took time.Duration // until it was answered, or there; 0: never
}

// kind is one kind of traffic.
type kind struct {
	name     string
	from, to landfall.NodeID
	class    landfall.Class
	size     int
	answer   int           // bytes; 0: there is none
	every    time.Duration // in the mean
	even     bool          // at the same distance, otherwise as it happens
	takes    time.Duration // with nothing wrong
}

// kinds are 500 requests a second, and 1000 streams that say and hear
// something every two seconds.
func kinds() []kind {
	return []kind{
		{"requests", edge, origin, landfall.Normal, 400, 1200, 2 * ms, false, 150 * ms},
		{"messages up", edge, origin, landfall.Interactive, 120, 0, 2 * ms, false, 75 * ms},
		{"messages down", origin, edge, landfall.Interactive, 120, 0, 2 * ms, false, 75 * ms},
	}
}

func newLoad(w *world) *load {
	l := &load{w: w, done: make(chan struct{}), sent: map[string][]parcel{}}
	w.heard = l.heard
	return l
}

// start begins to send.
func (l *load) start() {
	for i, k := range kinds() {
		r := rand.New(rand.NewPCG(l.w.seed, uint64(10+i)))
		l.work.Go(func() {
			for {
				select {
				case <-l.done:
					return
				case <-time.After(time.Duration(r.ExpFloat64() * float64(k.every))):
					l.post(k, byte(i))
				}
			}
		})
	}
}

// stop ends it, and waits for what is under way.
func (l *load) stop() {
	close(l.done)
	l.work.Wait()
	time.Sleep(patience)
}

// patience is how long a request may take: then it is lost.
const patience = time.Second

// bodies begin with whether they are an answer, the kind, and the number.
const numberAt, bodyMin = 2, 6

func (l *load) post(k kind, number byte) {
	l.mu.Lock()
	n := len(l.sent[k.name])
	l.sent[k.name] = append(l.sent[k.name], parcel{at: time.Now()})
	l.mu.Unlock()
	body := make([]byte, k.size)
	body[1] = number
	binary.BigEndian.PutUint32(body[numberAt:], uint32(n))
	l.w.send(k.from, k.to, k.class, body)
}

// heard is told of packets that arrive.
func (l *load) heard(from, to landfall.NodeID, body []byte) {
	if len(body) < bodyMin {
		return
	}
	k := kinds()[body[1]]
	if k.answer > 0 && body[0] == 0 {
		answer := make([]byte, k.answer)
		copy(answer, body[:bodyMin])
		answer[0] = 1
		l.w.send(to, from, k.class, answer)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.sent[k.name][binary.BigEndian.Uint32(body[numberAt:])]
	if p.took == 0 {
		p.took = time.Since(p.at)
	}
}

// account is what became of one kind.
type account struct {
	sent, missing int
	added         []time.Duration
}

// tell adds to accounts what became of all that was sent within a time.
func (l *load) tell(all map[string]*account, from, to time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range kinds() {
		a := all[k.name]
		if a == nil {
			a = &account{}
			all[k.name] = a
		}
		for _, p := range l.sent[k.name] {
			if p.at.Before(from.Add(-k.takes)) || p.at.After(to) {
				continue
			}
			a.sent++
			if p.took == 0 || p.took > patience {
				a.missing++
				continue
			}
			a.added = append(a.added, max(p.took-k.takes, 0))
		}
	}
}

func (a *account) lost(name string) Lost {
	return Lost{Kind: name, Sent: a.sent, Lost: a.missing, Added: spread(a.added)}
}
