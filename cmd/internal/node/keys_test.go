package node

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"landfall"
	"landfall/cmd/internal/keyring"
	"landfall/geodns/dnssec/bundle"
)

// sealedWorld is a map with name servers, their states, and bundles of zones.
func sealedWorld(tb testing.TB, servers, zones int) (*landfall.Map, []*State, []bundle.Bundle) {
	tb.Helper()
	m := &landfall.Map{Network: "test", Domain: "zone0.test"}
	var states []*State
	for i := range servers {
		s, err := OpenState(tb.TempDir())
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { s.Close() })
		states = append(states, s)
		m.Nodes = append(m.Nodes, landfall.Node{ID: landfall.NodeID(fmt.Sprint("ns", i)), Roles: []landfall.Role{landfall.RoleDNS}, Sealing: s.Sealing})
	}
	dir := keyring.Dir(tb.TempDir())
	var all []bundle.Bundle
	for i := range zones {
		name := fmt.Sprintf("zone%d.test", i)
		if _, err := dir.Begin(name, keyring.DefaultPolicy(), time.Now()); err != nil {
			tb.Fatal(err)
		}
		b, err := dir.Sign(name, time.Now())
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, b)
	}
	return m, states, all
}

// usableBy is whether a name server has what it takes to sign every zone.
func usableBy(m *landfall.Map, id landfall.NodeID, s *State) error {
	var secrets [][]byte
	for _, sealed := range m.Signing.KeysOf(id) {
		secret, err := s.Secret.Open(sealedKeys, sealed, m.Network, id)
		if err != nil {
			return err
		}
		secrets = append(secrets, secret)
	}
	for _, z := range m.Signing.Zones {
		k, err := unsealed(z, secrets)
		if err == nil {
			_, err = k.At(time.Now())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestEveryNameServerGetsItsOwnKeys(t *testing.T) {
	m, states, all := sealedWorld(t, 3, 2)
	var err error
	if m.Signing, err = signing(m, all, time.Now()); err != nil {
		t.Fatal(err)
	}
	for i, s := range states {
		if err := usableBy(m, m.Nodes[i].ID, s); err != nil {
			t.Errorf("%s: %v", m.Nodes[i].ID, err)
		}
		if err := usableBy(m, m.Nodes[(i+1)%3].ID, s); err == nil {
			t.Errorf("%s opens what is sealed to another", m.Nodes[i].ID)
		}
	}
	again, err := signing(m, all, time.Now())
	if err != nil || !sameSigning(again, m.Signing) {
		t.Errorf("the same keys make another map: %v", err)
	}

	// One that joins gets its own; the others' stay.
	late, err := OpenState(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	m.Nodes = append(m.Nodes, landfall.Node{ID: "late", Roles: []landfall.Role{landfall.RoleDNS}, Sealing: late.Sealing})
	next, err := signing(m, all, time.Now())
	if err != nil || len(next.Sealed) != 4 || string(next.KeysOf("ns0")[0]) != string(m.Signing.KeysOf("ns0")[0]) {
		t.Errorf("%d are sealed: %v", len(next.Sealed), err)
	}
	m.Signing = next
	if err := usableBy(m, "late", late); err != nil {
		t.Error(err)
	}
}

// A zone leaves the map when it has come to its end, and not because its files
// are gone.
func TestSignedZonesLeaveWhenTheyEnd(t *testing.T) {
	m, states, all := sealedWorld(t, 1, 2)
	var err error
	if m.Signing, err = signing(m, all, time.Now()); err != nil {
		t.Fatal(err)
	}
	lost, err := signing(m, all[:1], time.Now())
	if err != nil || len(lost.Zones) != 2 {
		t.Errorf("%d zones are left where files are gone: %v", len(lost.Zones), err)
	}
	m.Signing = lost
	if err := usableBy(m, "ns0", states[0]); err != nil {
		t.Errorf("and cannot be signed: %v", err)
	}
	all[1].End = time.Now()
	ended, err := signing(m, all, time.Now())
	if err != nil || len(ended.Zones) != 1 || ended.Zones[0].Name != "zone0.test" {
		t.Errorf("%v are left: %v", len(ended.Zones), err)
	}
}

// BenchmarkSealing measures what keys cost a map: 10 name servers, 5 zones,
// signed 90 days ahead.
func BenchmarkSealing(b *testing.B) {
	m, _, all := sealedWorld(b, 10, 5)
	var out landfall.Signing
	for b.Loop() {
		var err error
		if out, err = signing(m, all, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(text)), "bytes")
}
