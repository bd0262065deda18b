package node

import (
	"context"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"landfall"
	"landfall/certs"
)

// The files of a node's state directory that this package owns.
const (
	lockFile    = "lock"
	keyFile     = "node.key"
	sealingFile = "sealing.key"
	mapCache    = "maps"         // the last good maps
	Learnt      = "learnt"       // what a name server knows of its clients, and of edges
	controlMaps = "control/maps" // at home: all maps
)

// State is a node's directory, held by this process alone.
type State struct {
	Dir     string
	Key     landfall.PrivateKey   // WireGuard
	Secret  *certs.SealingPrivate // what others encrypt to us
	Sealing landfall.SealingKey   // its public half

	lock *os.File
}

// OpenState opens a node's directory, making it and its keys at first start.
// Files that cannot be read are named and left as they are.
func OpenState(dir string) (*State, error) {
	lock, err := Lock(dir)
	if err != nil {
		return nil, err
	}
	s := &State{Dir: dir, lock: lock}
	if err := s.load(); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

// TakeState is OpenState by a process that got the lock on the directory from
// the one before it.
func TakeState(dir string, lock *os.File) (*State, error) {
	s := &State{Dir: dir, lock: lock}
	raw, err := lock.SyscallConn()
	if err != nil {
		return s, fmt.Errorf("state directory: %w", err)
	}
	fd, fault := -1, error(nil)
	if err = raw.Control(func(from uintptr) { fd, fault = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 3) }); err == nil {
		err = fault
	}
	if err != nil {
		return s, fmt.Errorf("state directory: %w", err)
	}
	s.lock = os.NewFile(uintptr(fd), filepath.Join(dir, lockFile)) // Guard knows it by this name
	return s, errors.Join(lock.Close(), s.load())
}

// Lock is the lock on the directory, for a process that takes the place of this
// one.
func (s *State) Lock() *os.File { return s.lock }

// Close lets another process have the directory.
func (s *State) Close() error { return s.lock.Close() }

// Lock takes a directory for this process, making it if need be. Closing the
// file gives it back; so does the end of the process.
func Lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := ownDirectory(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("state directory %s: another landfall runs in it", dir)
		}
		return nil, fmt.Errorf("state directory %s: lock: %w", dir, err)
	}
	return f, nil
}

// ownDirectory refuses a directory whose files others could replace.
func ownDirectory(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("state directory %s may be written by others (mode %o): chmod 700 it, or choose another", dir, mode)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		return fmt.Errorf("state directory %s belongs to user %d, not to us: choose another", dir, owner)
	}
	return nil
}

// guardEvery is how often Guard looks.
const guardEvery = time.Second

// Guard watches the lock file of a directory until ctx ends, and fails when
// the directory was removed or replaced: what is written to it from then on
// would be lost.
func Guard(ctx context.Context, lock *os.File) error {
	ours, err := lock.Stat()
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if now, err := os.Stat(lock.Name()); err != nil || !os.SameFile(ours, now) {
			return fmt.Errorf("state directory %s was removed or replaced while in use: what came since is not kept", filepath.Dir(lock.Name()))
		}
	}
}

// guard is Guard for a node's directory.
func (s *State) guard(ctx context.Context) error { return Guard(ctx, s.lock) }

func (s *State) load() error {
	text, err := secret(filepath.Join(s.Dir, keyFile), func() string { return landfall.NewPrivateKey().Reveal() })
	if err != nil {
		return err
	}
	if s.Key, err = landfall.ParsePrivateKey(text); err != nil {
		return fmt.Errorf("%s: %w (put back a good copy; a new key means joining again)", filepath.Join(s.Dir, keyFile), err)
	}
	if text, err = secret(filepath.Join(s.Dir, sealingFile), newSealing); err != nil {
		return err
	}
	if s.Secret, err = sealingKey(text); err != nil {
		return fmt.Errorf("%s: %w (put back a good copy; a new key means joining again)", filepath.Join(s.Dir, sealingFile), err)
	}
	s.Sealing = s.Secret.Public()
	return nil
}

const sealingPrefix = "sealing-key:"

// newSealing is an X25519 scalar and an ML-KEM-768 seed (FIPS 203, 7.1) in hex.
func newSealing() string {
	b := make([]byte, 32+mlkem.SeedSize)
	rand.Read(b)
	return sealingPrefix + hex.EncodeToString(b)
}

// sealingKey is the key that newSealing wrote.
func sealingKey(text string) (*certs.SealingPrivate, error) {
	digits, ok := strings.CutPrefix(text, sealingPrefix)
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != 32+mlkem.SeedSize {
		return nil, fmt.Errorf("want %q and %d hexadecimal digits", sealingPrefix, 2*(32+mlkem.SeedSize))
	}
	x, err := ecdh.X25519().NewPrivateKey(b[:32])
	if err != nil {
		return nil, err
	}
	kem, err := mlkem.NewDecapsulationKey768(b[32:])
	if err != nil {
		return nil, err
	}
	return certs.NewSealingPrivate(x, kem)
}

// secret reads a file that only its owner may read, or writes what make
// returns where there is none.
func secret(name string, make func() string) (string, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text := make()
		return text, WriteFile(name, []byte(text+"\n"), 0o600)
	case err != nil:
		return "", err
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%s may be read by others (mode %o): chmod 600 it, and think of who may have read it", name, info.Mode().Perm())
	}
	b, err := os.ReadFile(name)
	return strings.TrimSpace(string(b)), err
}

// WriteFile makes a file appear whole or not at all, whenever the machine
// stops.
func WriteFile(name string, b []byte, perm os.FileMode) error {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already once renamed
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(perm), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeKeys makes a node's keys in a directory, or reads those that are there.
// It takes no lock: the caller holds it.
func MakeKeys(dir string) (*State, error) {
	s := &State{Dir: dir}
	return s, s.load()
}
