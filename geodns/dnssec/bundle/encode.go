package bundle

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"landfall/geodns/dnssec"
	"landfall/geodns/zone"
)

// format begins every bundle.
const format = "landfall dnssec bundle 1"

// MaxSize bounds an encoded bundle, in bytes.
const MaxSize = 1 << 20

// document is a bundle as it is written. Data that is the same in many
// stretches is in it once.
type document struct {
	Format    string    `json:"format"`
	Zone      string    `json:"zone"`
	Made      time.Time `json:"made,omitzero"`
	End       time.Time `json:"end,omitzero"`
	Sets      []set     `json:"sets"`
	Stretches []stretch `json:"stretches"`
	Signing   []signing `json:"signing"`
}

type set struct {
	Type uint16   `json:"type"`
	TTL  uint32   `json:"ttl"`
	Data [][]byte `json:"data"`
}

type stretch struct {
	From time.Time `json:"from"`
	Sets []signed  `json:"sets"`
}

type signed struct {
	Set  int      `json:"set"` // of the document's, from 0
	Sigs [][]byte `json:"sigs"`
}

type signing struct {
	From    time.Time `json:"from"`
	Public  []byte    `json:"public"`            // RDATA of the DNSKEY record
	Private []byte    `json:"private,omitempty"` // 32 bytes; missing in the public part of a bundle
}

// Encode writes a bundle down. Without the secrets, whoever reads them can serve
// nothing by them before Join has put those back.
func Encode(k Bundle, secrets bool) ([]byte, error) {
	d := document{Format: format, Zone: k.Zone.String(), End: k.End}
	if secrets {
		d.Made = k.Made.UTC()
	}
	for _, s := range k.Stretches {
		out := stretch{From: s.From.UTC()}
		for _, z := range s.Sets {
			out.Sets = append(out.Sets, signed{d.place(z), z.Sigs})
		}
		d.Stretches = append(d.Stretches, out)
	}
	for _, s := range k.Signing {
		out := signing{From: s.From.UTC(), Public: s.Key.Public}
		if private := s.Key.Private(); secrets && private != nil {
			raw, err := private.Bytes()
			if err != nil {
				return nil, fmt.Errorf("zone %s: key %d: %w", k.Zone, s.Key.Tag, err)
			}
			out.Private = raw
		}
		d.Signing = append(d.Signing, out)
	}
	return json.Marshal(d)
}

// place is where the document has the data of a set.
func (d *document) place(z zone.Set) int {
	for i, s := range d.Sets {
		if s.Type == z.Type && s.TTL == z.TTL && len(s.Data) == len(z.Data) && bytes.Equal(bytes.Join(s.Data, nil), bytes.Join(z.Data, nil)) {
			return i
		}
	}
	d.Sets = append(d.Sets, set{z.Type, z.TTL, z.Data})
	return len(d.Sets) - 1
}

// Decode reads what Encode wrote. A bundle that could not be served is refused.
func Decode(b []byte) (Bundle, error) {
	var d document
	if len(b) > MaxSize {
		return Bundle{}, fmt.Errorf("bundle: it is longer than %d bytes", MaxSize)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	err := dec.Decode(&d)
	if _, more := dec.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("something follows its end")
	}
	switch {
	case err != nil:
		return Bundle{}, fmt.Errorf("bundle: it is damaged, or none: %w", err)
	case d.Format != format:
		return Bundle{}, fmt.Errorf("bundle: it is of the format %q, and this program knows %q", d.Format, format)
	}
	k, err := d.keys()
	if err != nil {
		return Bundle{}, fmt.Errorf("bundle of %s: %w", d.Zone, err)
	}
	return k, nil
}

func (d *document) keys() (k Bundle, err error) {
	k.End, k.Made = d.End, d.Made
	if k.Zone, err = zone.ParseName(d.Zone); err != nil {
		return k, err
	}
	for _, s := range d.Stretches {
		out := dnssec.Stretch{From: s.From}
		for _, z := range s.Sets {
			if z.Set < 0 || z.Set >= len(d.Sets) {
				return k, fmt.Errorf("it has no set %d", z.Set)
			}
			of := d.Sets[z.Set]
			out.Sets = append(out.Sets, zone.Set{Type: of.Type, TTL: of.TTL, Data: of.Data, Sigs: z.Sigs})
		}
		k.Stretches = append(k.Stretches, out)
	}
	for _, s := range d.Signing {
		key, err := s.key()
		if err != nil {
			return k, err
		}
		k.Signing = append(k.Signing, dnssec.Signing{From: s.From, Key: key})
	}
	if k.End.IsZero() && (len(k.Stretches) == 0 || len(k.Signing) == 0) {
		return k, errors.New("it has no keys")
	}
	k.Sort()
	return k, nil
}

func (s signing) key() (dnssec.Key, error) {
	key, err := dnssec.ParseKey(s.Public)
	if err != nil || len(s.Private) == 0 {
		return key, err
	}
	return withPrivate(key, s.Private)
}

// withPrivate gives a key its private half, which has to be that.
func withPrivate(key dnssec.Key, raw []byte) (dnssec.Key, error) {
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return key, fmt.Errorf("private half of key %d: %w", key.Tag, err)
	}
	whole, err := dnssec.NewKey(key.Flags(), private)
	if err != nil {
		return key, err
	}
	if !bytes.Equal(whole.Public, key.Public) {
		return key, fmt.Errorf("the private half of key %d is that of another key", key.Tag)
	}
	return whole, nil
}

// Secrets are the private halves of all ZSKs of bundles, for Join.
func Secrets(all []Bundle) ([]byte, error) {
	secrets := map[string][]byte{}
	for _, k := range all {
		for _, s := range k.Signing {
			if s.Key.Private() == nil {
				return nil, fmt.Errorf("zone %s: key %d has no private half", k.Zone, s.Key.Tag)
			}
			raw, err := s.Key.Private().Bytes()
			if err != nil {
				return nil, err
			}
			secrets[fmt.Sprintf("%x", s.Key.Public)] = raw
		}
	}
	return json.Marshal(secrets)
}

// Join gives keys that were read without them their private halves. Keys that
// the secrets do not have stay without.
func Join(k Bundle, secrets []byte) (Bundle, error) {
	var all map[string][]byte
	if err := json.Unmarshal(secrets, &all); err != nil {
		return k, fmt.Errorf("secrets of keys: %w", err)
	}
	out := k
	out.Signing = nil
	for _, s := range k.Signing {
		if raw, ok := all[fmt.Sprintf("%x", s.Key.Public)]; ok {
			whole, err := withPrivate(s.Key, raw)
			if err != nil {
				return k, fmt.Errorf("zone %s: %w", k.Zone, err)
			}
			s.Key = whole
		}
		out.Signing = append(out.Signing, s)
	}
	return out, nil
}
