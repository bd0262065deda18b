package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxBundle bounds what an edge reads: 4096 certificates with long chains.
const maxBundle = 32 << 20

// member is one certificate of a bundle, both parts in PEM.
type member struct {
	Chain string `json:"chain"`
	Key   string `json:"key"`
}

// encodeBundle is what an edge is sent, before it is sealed. The same members
// in the same order are the same bytes.
func encodeBundle(members []member) ([]byte, error) {
	return json.Marshal(struct {
		Certificates []member `json:"certificates"`
	}{members})
}

// versionOf names a bundle by what is in it, so that a name means the same
// after a restart, at both ends.
func versionOf(bundle []byte) string {
	sum := sha256.Sum256(bundle)
	return hex.EncodeToString(sum[:16])
}

// parseBundle reads what encodeBundle wrote.
func parseBundle(b []byte) ([]*tls.Certificate, error) {
	var in struct {
		Certificates []member `json:"certificates"`
	}
	if err := decodeStrict(b, &in); err != nil {
		return nil, errors.New("it is not a bundle of certificates") // what json says may repeat a key
	}
	var out []*tls.Certificate
	for i, m := range in.Certificates {
		c, err := m.read()
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func (m member) read() (*tls.Certificate, error) {
	key, err := parseKey([]byte(m.Key))
	if err != nil {
		return nil, err
	}
	return pair([]byte(m.Chain), key)
}

// decodeStrict reads one JSON value, of known fields only, and nothing after it.
func decodeStrict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data after the end")
	}
	return nil
}
