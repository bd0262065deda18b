package join

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"time"

	"landfall"
)

// record is what home keeps of an invitation: NODE.json in the book's
// directory.
type record struct {
	Node      landfall.NodeID    `json:"node"`
	Key       proofKey           `json:"key"` // in hexadecimal digits
	Expires   time.Time          `json:"expires"`
	Addresses []netip.Addr       `json:"addresses,omitempty"` // the server's, and no others; none leaves them to it
	Joined    landfall.PublicKey `json:"joined,omitzero"`     // who has used it
	At        time.Time          `json:"at,omitzero"`         // when
}

const maxRecord = 4 << 10

// MarshalText is for the book's files only.
func (k proofKey) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *proofKey) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(k)) {
		return fmt.Errorf("want %d hexadecimal digits", hex.EncodedLen(len(k)))
	}
	if _, err := hex.Decode(k[:], b); err != nil {
		return errors.New("not hexadecimal digits")
	}
	return nil
}

// parseRecord reads the file of a node.
func parseRecord(b []byte, node landfall.NodeID) (r record, err error) {
	if len(b) > maxRecord {
		return record{}, errors.New("is too long")
	}
	if err := decode(b, &r); err != nil {
		return record{}, err
	}
	if r.Node != node || r.Key == (proofKey{}) || r.Expires.IsZero() {
		return record{}, fmt.Errorf("is not the invitation of %s", node)
	}
	return r, nil
}

func (b *Book) path(node landfall.NodeID) string { return b.cfg.Dir.Name() + "/" + fileName(node) }

// fileName is safe for every node with a proper name.
func fileName(node landfall.NodeID) string { return string(node) + ".json" }

// load reads a record. Without a file it is fs.ErrNotExist.
func (b *Book) load(node landfall.NodeID) (record, error) {
	f, err := b.cfg.Dir.Open(fileName(node))
	if err != nil {
		return record{}, fmt.Errorf("invitation: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return record{}, fmt.Errorf("invitation: %w", err)
	}
	r, err := parseRecord(text, node)
	if err != nil {
		return record{}, fmt.Errorf("invitation %s: %w: invite the node again", b.path(node), err)
	}
	return r, nil
}

// save writes a record so that the file is the old one or the new one,
// whenever the machine stops.
func (b *Book) save(r record) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	name := fileName(r.Node)
	temp := name + ".tmp"
	if err := b.write(temp, append(text, '\n')); err != nil {
		return fmt.Errorf("invitation %s: %w", b.path(r.Node), err)
	}
	if err := b.cfg.Dir.Rename(temp, name); err != nil {
		return fmt.Errorf("invitation %s: %w", b.path(r.Node), err)
	}
	return b.sync()
}

func (b *Book) write(name string, text []byte) error {
	f, err := b.cfg.Dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// forget removes the record of a node, if there is one.
func (b *Book) forget(node landfall.NodeID) error {
	err := b.cfg.Dir.Remove(fileName(node))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("invitation: %w", err)
	}
	return b.sync()
}

// sync makes renames and removals last.
func (b *Book) sync() error {
	d, err := b.cfg.Dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Expires tells until when a node's token can be used; fs.ErrNotExist if
// there is none, as after an interrupted Invite.
func (b *Book) Expires(node landfall.NodeID) (time.Time, error) {
	if !label(string(node)) {
		return time.Time{}, fs.ErrNotExist
	}
	r, err := b.load(node)
	return r.Expires, err
}
