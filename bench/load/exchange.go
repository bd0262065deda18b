package load

import (
	"encoding/binary"
	"time"

	"landfall/bench/ecs"
)

// send asks so many questions on a socket. If the kernel has no room for
// them, they are asked in another turn.
func (r *runner) send(s *socket, n int) error {
	now, next := time.Since(r.begun), s.next
	s.out = s.out[:0]
	for i := range n {
		id := s.free[len(s.free)-1-i]
		s.ids[i] = id
		s.slots[id] = slot{query: int32(next), sent: now}
		at := len(s.out)
		s.out = append(s.out, r.Queries[next].Packet...)
		binary.BigEndian.PutUint16(s.out[at:], id)
		if next++; next == len(r.Queries) {
			next = 0
		}
	}
	sent, err := s.write(s.out, len(r.Queries[0].Packet))
	if err != nil || !sent {
		return err
	}
	for _, id := range s.ids[:n] {
		s.slots[id].busy = true
	}
	s.free, s.next = s.free[:len(s.free)-n], next
	r.saw.Sent += uint64(n)
	return nil
}

// receive takes a socket's answers.
func (r *runner) receive(s *socket) (n int, err error) {
	if n, err = s.read(); n == 0 || err != nil {
		return n, err
	}
	now := time.Since(r.begun)
	for i := range n {
		r.take(s, s.answers[i][:s.messages[i].size], now)
	}
	return n, nil
}

// take judges one answer. One to a question that was given up on is not
// counted.
func (r *runner) take(s *socket, answer []byte, now time.Duration) {
	if len(answer) < 12 {
		return
	}
	id := int(binary.BigEndian.Uint16(answer))
	if id >= len(s.slots) || !s.slots[id].busy {
		return
	}
	slot := &s.slots[id]
	slot.busy = false
	s.free = append(s.free, uint16(id))
	r.saw.Answered++
	r.saw.Elapsed = now
	q, right := &r.Queries[slot.query], true
	if r.saw.Answered%uint64(r.Every) == 0 {
		r.saw.Took = append(r.saw.Took, now-slot.sent)
		r.saw.Checked++
		right = q.right(answer)
	}
	if !right || !q.likely(answer) {
		r.saw.Wrong++
	}
}

// likely looks at the header alone.
func (q *Query) likely(answer []byte) bool {
	const qr, tc = 0x80, 0x02
	answers := answer[6]|answer[7] != 0
	return answer[2]&(qr|tc) == qr && q.Codes>>(answer[3]&15)&1 == 1 && answers == q.Addr.IsValid()
}

// right looks at all of an answer.
func (q *Query) right(answer []byte) bool {
	a, err := ecs.Parse(answer)
	return err == nil && a.Addr == q.Addr && a.Signed == q.Signed
}
