package netstack

import (
	"bytes"
	"os"
	"runtime"
	"sync"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"landfall"
	"landfall/mesh/class"
)

func packet(size int, fill byte) *stack.PacketBuffer {
	return stack.NewPacketBuffer(stack.PacketBufferOptions{
		Payload: buffer.MakeWithData(bytes.Repeat([]byte{fill}, size)),
	})
}

// put sends one packet of the size, as the stack does.
func put(n *nic, size int, fill byte) bool {
	var list stack.PacketBufferList
	p := packet(size, fill)
	defer p.DecRef()
	list.PushBack(p)
	sent, err := n.WritePackets(list)
	return sent == 1 && err == nil
}

func TestQueueBlocksInsteadOfDropping(t *testing.T) {
	n := newNIC(DefaultMTU)
	const count, size = 5000, 1400 // several times what the queue holds
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := range count {
			if !put(n, size, byte(i)) {
				t.Errorf("packet %d was refused", i)
			}
		}
	})
	bufs, sizes := make([][]byte, batch), make([]int, batch)
	for i := range bufs {
		bufs[i] = make([]byte, 2000)
	}
	const offset = 16
	for got := 0; got < count; {
		k, err := n.read(bufs, sizes, offset)
		if err != nil || k == 0 {
			t.Fatal(k, err)
		}
		for i := range k {
			want := bytes.Repeat([]byte{byte(got)}, size)
			if !bytes.Equal(bufs[i][offset:offset+sizes[i]], want) {
				t.Fatalf("packet %d is another", got)
			}
			got++
		}
		n.mu.Lock()
		waiting := n.queues[landfall.Normal].bytes
		n.mu.Unlock()
		if waiting > maxQueued+size {
			t.Fatalf("%d bytes wait", waiting)
		}
	}
	sending.Wait()
	if q := &n.queues[landfall.Normal]; q.bytes != 0 || q.len() != 0 {
		t.Errorf("%d bytes left, %d packets", q.bytes, q.len())
	}
}

// put6 sends one packet of a class.
func put6(n *nic, size int, c landfall.Class) bool {
	var list stack.PacketBufferList
	p := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: header.IPv6MinimumSize, Payload: buffer.MakeWithData(make([]byte, size)),
	})
	defer p.DecRef()
	h := header.IPv6(p.NetworkHeader().Push(header.IPv6MinimumSize))
	h.Encode(&header.IPv6Fields{TrafficClass: class.TOS(c, 0)})
	list.PushBack(p)
	sent, err := n.WritePackets(list)
	return sent == 1 && err == nil
}

// TestUrgentPacketsOvertake: while a class has filled its queue another does
// not wait, neither to get in nor to leave, and none stands still.
func TestUrgentPacketsOvertake(t *testing.T) {
	n := newNIC(DefaultMTU)
	const size = 1400
	var sending sync.WaitGroup
	sending.Go(func() {
		for put6(n, size, landfall.Bulk) {
			continue
		}
	})
	full := func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.queues[landfall.Bulk].waiting > 0
	}
	for !full() {
		runtime.Gosched()
	}
	for _, c := range []landfall.Class{landfall.Normal, landfall.Interactive} {
		for range batch {
			if !put6(n, 100, c) {
				t.Fatal("refused")
			}
		}
	}
	got := make([]*stack.PacketBuffer, batch)
	k, err := n.take(got)
	if err != nil || k != batch {
		t.Fatal(k, err)
	}
	count := map[landfall.Class]int{}
	first := classOf(got[0])
	for _, p := range got {
		count[classOf(p)]++
		p.DecRef()
	}
	if first != landfall.Interactive || count[first] < batch/2 {
		t.Errorf("class %d is first; %v", first, count)
	}
	if count[landfall.Normal] == 0 || count[landfall.Bulk] == 0 {
		t.Errorf("a class stands still: %v", count)
	}
	n.close()
	sending.Wait()
}

func TestCloseWakesBothSides(t *testing.T) {
	n := newNIC(DefaultMTU)
	var both sync.WaitGroup
	both.Go(func() {
		for put(n, maxQueued/2, 0) {
			continue
		}
	})
	idle := newNIC(DefaultMTU)
	both.Go(func() {
		if _, err := idle.read(make([][]byte, 1), make([]int, 1), 0); err != os.ErrClosed {
			t.Errorf("read: %v", err)
		}
	})
	for range 2 { // closing twice is closing
		n.close()
		idle.close()
	}
	both.Wait()
}
