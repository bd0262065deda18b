package netstack

import (
	"bytes"
	"os"
	"sync"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
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
		waiting := n.bytes
		n.mu.Unlock()
		if waiting > maxQueued+size {
			t.Fatalf("%d bytes wait", waiting)
		}
	}
	sending.Wait()
	if n.bytes != 0 || len(n.queue) != n.head {
		t.Errorf("%d bytes left, %d packets", n.bytes, len(n.queue)-n.head)
	}
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
