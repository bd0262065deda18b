package udp

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// said makes control messages: level, kind, size of the data, the data.
func said(m ...[4]uint32) []byte {
	c, n := new(control), 0
	for _, v := range m {
		n = c.put(n, int32(v[0]), int32(v[1]), int(v[2]), v[3])
	}
	return c.bytes()[:n]
}

func TestControlMessages(t *testing.T) {
	tos4 := [4]uint32{unix.IPPROTO_IP, unix.IP_TOS, 4, 46<<2 | 1}
	tos6 := [4]uint32{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 4, 46<<2 | 2}
	gro := [4]uint32{unix.IPPROTO_UDP, unix.UDP_GRO, 4, 1452}
	lost := [4]uint32{unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 4, 77}
	other := [4]uint32{unix.IPPROTO_IP, unix.IP_TTL, 4, 64}
	short := [4]uint32{unix.IPPROTO_UDP, unix.UDP_GRO, 2, 9}
	minus := [4]uint32{unix.IPPROTO_UDP, unix.UDP_GRO, 4, 1 << 31}
	for _, tt := range []struct {
		name string
		b    []byte
		want marks
	}{
		{"nothing", nil, marks{}},
		{"mark of IPv4", said(tos4), marks{tos: 46<<2 | 1}},
		{"mark of IPv6", said(tos6), marks{tos: 46<<2 | 2}},
		{"all", said(lost, gro, tos6), marks{tos: 46<<2 | 2, segment: 1452, lost: 77}},
		{"unknown between", said(gro, other, tos4), marks{tos: 46<<2 | 1, segment: 1452}},
		{"of another length", said(short, tos4), marks{tos: 46<<2 | 1}},
		{"less than nothing", said(minus), marks{}},
		{"cut short", said(tos4, gro)[:unix.CmsgSpace(4)+10], marks{tos: 46<<2 | 1}},
		{"cut in the data", said(gro)[:unix.CmsgLen(4)-1], marks{}},
	} {
		if got := parse(tt.b); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// FuzzControl: whatever the kernel says, nothing outside is read, and what the
// system's parser finds is found.
func FuzzControl(f *testing.F) {
	f.Add(said([4]uint32{unix.IPPROTO_IP, unix.IP_TOS, 4, 1}, [4]uint32{unix.IPPROTO_UDP, unix.UDP_GRO, 4, 1452}))
	f.Add(said([4]uint32{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 4, 3}, [4]uint32{unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 4, 1}))
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := new(control) // aligned, and with something behind
		n := copy(c.bytes()[:], b)
		got := parse(c.bytes()[:n:n])
		if got.segment < 0 {
			t.Fatalf("%+v", got)
		}
		all, err := unix.ParseSocketControlMessage(c.bytes()[:n])
		if err != nil {
			return
		}
		var want marks
		for _, m := range all {
			want.add(m.Header.Level, m.Header.Type, m.Data)
		}
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}
