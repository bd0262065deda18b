package wg

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/conn"

	"landfall"
	"landfall/mesh/fragment"
	"landfall/mesh/path"
	"landfall/mesh/relay"
	"landfall/mesh/udp"
)

// fuzzKey is the same in every run, so that a corpus stays of use.
func fuzzKey(f *testing.F, n byte) landfall.PrivateKey {
	f.Helper()
	any := landfall.NewPrivateKey().Reveal()
	text := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{n}, 32))
	k, err := landfall.ParsePrivateKey(any[:len(any)-len(text)] + text)
	if err != nil {
		f.Fatal(err)
	}
	return k
}

// FuzzReceive gives the receiver of a node with peers whatever may come, a few
// datagrams at a time: lengths and bytes. Nothing but WireGuard's messages may
// reach WireGuard, and nothing may be sent that was not relayed for a peer.
func FuzzReceive(f *testing.F) {
	a, b, c := fuzzKey(f, 1), fuzzKey(f, 2), fuzzKey(f, 3)
	keys := func(self, other landfall.PrivateKey) relay.Keys {
		secret, err := self.Shared(other.Public())
		if err != nil {
			f.Fatal(err)
		}
		k, err := relay.NewKeys(secret, self.Public(), other.Public())
		if err != nil {
			f.Fatal(err)
		}
		return k
	}
	toA, name := keys(b, a), func(k landfall.PrivateKey) relay.Name { return relay.NameOf(network, k.Public()) }
	join := func(ds ...[]byte) (out []byte) {
		for _, d := range ds {
			out = append(binary.BigEndian.AppendUint16(out, uint16(len(d))), d...)
		}
		return out
	}
	for kind := range 256 {
		f.Add(join(append([]byte{byte(kind)}, make([]byte, 147)...)))
	}
	session := append([]byte{data, 0, 0, 0, 9, 9, 9, 9}, make([]byte, 100)...)
	frame := toA.SealAppend(nil, relay.Second, name(c), session)
	f.Add(join(session, session, frame))
	f.Add(join(toA.SealAppend(nil, relay.First, name(c), session)))
	seal, _, err := toA.Derive(partsLabel)
	if err != nil {
		f.Fatal(err)
	}
	for _, key := range []fragment.Key{{}, seal} {
		f.Add(join(fragment.Append(nil, frame, &key, 1, 0, 2), fragment.Append(nil, frame, &key, 1, 1, 2)))
	}
	var peers []Peer
	for i, k := range []landfall.PrivateKey{b, c} {
		peers = append(peers, Peer{
			Node: landfall.NodeID('b' + rune(i)), Key: k.Public(), Addr: netip.AddrFrom16([16]byte{0xfd, 15: byte(i)}),
			Name: name(k), Relay: keys(a, k), Forward: true,
		})
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		w := newWire()
		sock := w.sock(addrOf(0))
		sent := 0
		w.tap = func(d datagram) { sent++ }
		dir, count := newDirectory(), &counters{}
		for i, p := range peers {
			if _, err := dir.add(p); err != nil {
				t.Fatal(err)
			}
			dir.use(p.Node, path.Route{Primary: path.Way{Addr: addrOf(i + 1)}, MTU: 1200})
		}
		bind := newBind(Config{
			Conns: []udp.Conn{sock}, Other: func([]byte, path.Way, landfall.NodeID) {}, Wanted: func(landfall.NodeID) {},
		}, dir, count)
		r := newReceiver(bind, sock)
		r.now = time.Unix(1, 0)
		buf := make([]byte, 65535)
		for len(stream) >= 2 {
			n := min(int(binary.BigEndian.Uint16(stream)), len(stream)-2)
			l := letter{b: buf, size: copy(buf, stream[2:2+n]), wire: n, from: addrOf(int(stream[1]) % 3)}
			stream = stream[2+n:]
			before := count.stats()
			var ep conn.Endpoint = r.sort(&l)
			if ep != nil && (l.size < keepaliveSize || l.size > maxDatagram || buf[0] < initiation || buf[0] > data) {
				t.Fatalf("WireGuard is given %x", l.body())
			}
			r.flush()
			if after := count.stats(); sent > 0 && after.Relayed == before.Relayed && after.Probes == before.Probes {
				t.Fatal("something was sent")
			}
			sent = 0
		}
	})
}
