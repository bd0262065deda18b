package transfer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// request is that of a transfer, as a client wrote it.
func request(t testing.TB, reserve int) *Request {
	t.Helper()
	m := new(dns.Msg).SetAxfr("landfall.test.")
	m.RecursionDesired, m.CheckingDisabled = true, true
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return &Request{Header: [headerSize]byte(b), Question: b[headerSize:], Apex: apex, Reserve: reserve}
}

func TestMessagesHoldTheZoneInOrder(t *testing.T) {
	var records []string
	for i := range 3000 {
		records = append(records, fmt.Sprintf("n%d A 198.51.%d.%d", i, i/250, i%250))
	}
	var h *History
	h = h.Next(zoneOf(t, 7, records...), told)
	var got []string
	messages, header := 0, 0
	err := request(t, 100).Send(h.Whole(), func(msg []byte) error {
		if len(msg) > chunk-100 {
			t.Errorf("a message of %d bytes", len(msg))
		}
		m := new(dns.Msg)
		if err := m.Unpack(msg); err != nil {
			return err
		}
		if m.Rcode != dns.RcodeSuccess || !m.Response || !m.Authoritative || !m.RecursionDesired || m.CheckingDisabled || len(m.Question) != 1 {
			t.Errorf("header: %v", m.MsgHdr)
		}
		for _, rr := range m.Answer {
			got = append(got, rr.String())
		}
		messages++
		header = int(m.Id)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := lines(t, h.Whole()); !slices.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
	if messages < 4 || messages > 12 || header == 0 {
		t.Errorf("%d messages", messages)
	}
}

func TestLongestRecordGoesAlone(t *testing.T) {
	long := func(size int) Record {
		return Record{Owner: apex, Type: 16, Data: []byte(strings.Repeat("\x00", size))}
	}
	const beside = headerSize + 19 + 2 + 10 // header, question, owner and what is fixed
	for size, fits := range map[int]bool{40_000: true, longest - beside: true, longest - beside + 1: false} {
		sizes := []int{}
		err := request(t, 0).Send(concat([]Record{long(10), long(size), long(10)}), func(msg []byte) error {
			sizes = append(sizes, len(msg))
			return nil
		})
		if fits != (err == nil) || fits && len(sizes) != 3 {
			t.Errorf("%d bytes of data: %v, messages of %v", size, err, sizes)
		}
	}
}

func TestWhoCannotSendStops(t *testing.T) {
	gone := errors.New("gone")
	n := 0
	err := request(t, 0).Send(func(yield func(Record) bool) {
		for yield(Record{Owner: apex, Type: 16, Data: make([]byte, 1000)}) {
			if n > 100 {
				t.Fatal("goes on")
			}
		}
	}, func([]byte) error { n++; return gone })
	if !errors.Is(err, gone) || n != 1 {
		t.Errorf("%v after %d messages", err, n)
	}
}

func TestNamesThatOnlyLookLikeTheZone(t *testing.T) {
	for name, want := range map[zone.Name]bool{
		apex:                                   true,
		"\x04chat" + apex:                      true,
		"\x0cnot-landfall\x04test\x00":         false,
		"\x09alandfall\x04test\x00":            false,
		"\x04test\x00":                         false,
		"\x0a\x08landfall\x04\x04test\x00":     false,
		"\x01a\x08landfall\x04test\x00":        true,
		"\x01\x08\x08landfall\x04test\x00":     true,
		"\x02\x08l\x07andfall\x04test\x00":     false,
		"\x00":                                 false,
		"\x0d\x00\x08landfall\x04te\x02st\x00": false,
	} {
		if _, got := below(name, apex); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
