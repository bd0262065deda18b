package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"landfall/origin/budget"
	"landfall/origin/chat"
)

// Limits of the checking of passwords, which is dear on purpose.
const (
	checking = 2  // at once
	waiting  = 32 // more than these are turned away

	clientGuesses  = 20 // wrong ones of a client at once; fewer than may wait
	clientEvery    = 6 * time.Second
	accountGuesses = 10 // wrong ones for an account at once
	accountEvery   = time.Minute

	verifiedFor = time.Minute         // a password that was right is not checked again
	knownFor    = 30 * 24 * time.Hour // a client that has signed in is known to the account
)

// clientKey marks the client of a request in its context.
type clientKey struct{}

// WithClient notes the address of the client that guesses are counted for.
func WithClient(ctx context.Context, client netip.Addr) context.Context {
	return context.WithValue(ctx, clientKey{}, client)
}

// clientOf is who to count guesses for. Of IPv6 it is the network: a client
// has all of its addresses to choose from.
func clientOf(ctx context.Context) netip.Prefix {
	a, _ := ctx.Value(clientKey{}).(netip.Addr)
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits) // the zero Prefix for no address
	return p
}

// account is an account that somebody guesses at. Guesses by clients that are
// known to it count apart: a stranger's keep nobody out of their own.
type account struct {
	email [sha256.Size]byte
	known netip.Prefix // zero: a stranger
}

// passwords is what is known of guesses, and the queue for checking them.
type passwords struct {
	slots    chan struct{}
	queue    atomic.Int64
	clients  budget.Budget[netip.Prefix]
	accounts budget.Budget[account]
	known    budget.Recent[account]
	verified budget.Recent[[sha256.Size]byte]
	key      [32]byte // of this process, so that verified holds nothing to guess at
}

func newPasswords(now func() time.Time) *passwords {
	p := &passwords{
		slots:    make(chan struct{}, checking),
		clients:  budget.Budget[netip.Prefix]{Burst: clientGuesses, Every: clientEvery, Now: now},
		accounts: budget.Budget[account]{Burst: accountGuesses, Every: accountEvery, Now: now},
		known:    budget.Recent[account]{Life: knownFor, Now: now},
		verified: budget.Recent[[sha256.Size]byte]{Life: verifiedFor, Now: now},
	}
	_, _ = rand.Read(p.key[:]) // never fails
	return p
}

// Password finds the user with this address and password. An unknown address
// takes as long as a wrong password. Wrong ones are counted, by client and by
// account, before they wait for their turn: a *budget.Spent says that there
// were too many.
func (a *Auth) Password(ctx context.Context, email, password string) (Grant, error) {
	u, hash, err := a.accounts.Password(ctx, email)
	if errors.Is(err, chat.ErrNotFound) {
		hash = dummyHash()
	} else if err != nil {
		return Grant{}, err
	}
	p, client := a.passwords, clientOf(ctx)
	proof := p.proof(hash, password)
	if !p.verified.Has(proof) {
		ok, err := p.guess(ctx, client, email, hash, password)
		if err != nil {
			return Grant{}, err
		}
		if !ok {
			return a.deny()
		}
		p.verified.Add(proof)
	}
	if u.ID == 0 || u.Disabled {
		return a.deny()
	}
	return Grant{User: u, evidence: hash}, nil
}

// proof stands for a hash and a password that matches it.
func (p *passwords) proof(hash, password string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, p.key[:])
	mac.Write([]byte(hash + "\x00" + password)) // hashes have no NUL
	mac.Sum(sum[:0])
	return sum
}

// guess checks a password. What turns out to be right, or is not checked, is
// given back.
func (p *passwords) guess(ctx context.Context, client netip.Prefix, email, hash, password string) (ok bool, err error) {
	of := account{email: sha256.Sum256([]byte(strings.ToLower(email)))}
	familiar := account{of.email, client}
	if p.known.Has(familiar) {
		of = familiar
	}
	if err := p.clients.Take(client); err != nil {
		return false, err
	}
	if err := p.accounts.Take(of); err != nil {
		return false, err // and the client has spent one: it knocks at a closed door
	}
	ok, err = p.check(ctx, hash, password)
	if ok || err != nil {
		p.clients.Return(client)
		p.accounts.Return(of)
	}
	if ok && client.IsValid() {
		p.known.Add(familiar)
	}
	return ok, err
}

// check compares a password with a hash, few at a time.
func (p *passwords) check(ctx context.Context, hash, password string) (bool, error) {
	if p.queue.Add(1) > waiting {
		p.queue.Add(-1)
		return false, ErrBusy
	}
	defer p.queue.Add(-1)
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	defer func() { <-p.slots }()
	return CheckPassword(hash, password), nil
}
