package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// orderTime bounds one order: what takes longer fails, and others have their
// turn.
const orderTime = 5 * time.Minute

// attempt brings one group forward: an order where its certificate lacks
// something, and then what is to be revoked.
func (k *Keeper) attempt(ctx context.Context, g *group) {
	k.busy(g, true)
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	told, err := k.work(ctx, g)
	if told != nil {
		k.cfg.Log.Warn("old certificate not revoked", "err", told)
	}
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		k.fail(g, err)
	}
	k.busy(g, false)
	k.answer(g, errors.Join(err, told))
}

func (k *Keeper) busy(g *group, is bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g.busy = is
}

func (k *Keeper) fail(g *group, err error) {
	k.counts.failures.Add(1)
	r := g.rec.failed(err, time.Now())
	k.cfg.Log.Warn("certificate not as wanted", "hosts", names(r.Hosts), "retry", r.Next, "err", err)
	if g.damaged != nil {
		k.mu.Lock()
		g.rec = r
		k.mu.Unlock()
		return
	}
	if err := k.commit(g, r); err != nil {
		k.cfg.Log.Error("state of a certificate not kept", "err", err)
	}
}

// work returns what another try may mend as err, and what none will as told.
func (k *Keeper) work(ctx context.Context, g *group) (told, err error) {
	if g.damaged != nil {
		k.mu.Lock()
		k.read(g) // it may have been mended, or removed
		k.mu.Unlock()
	}
	signer := k.signer.Name()
	begun := g.rec.begin(signer, time.Now())
	if g.damaged != nil {
		k.mu.Lock()
		g.rec = begun
		k.mu.Unlock()
		return nil, g.damaged
	}
	if err := k.commit(g, begun); err != nil {
		return nil, err // whoever cannot write it down does not order
	}
	if !g.wanted {
		if err := k.forsake(g); err != nil {
			return nil, err
		}
	} else if why := g.rec.lacking(g.cert, signer, time.Now()); why != "" {
		if err := k.renew(ctx, g, why); err != nil {
			return nil, err
		}
	}
	if told, err = k.revoke(ctx, g); err != nil {
		return told, err
	}
	return told, k.commit(g, g.rec.done())
}

// renew orders a certificate for a fresh key, keeps both, and shows them to
// the edges.
func (k *Keeper) renew(ctx context.Context, g *group, why string) error {
	k.counts.orders.Add(1)
	k.cfg.Log.Info("ordering a certificate", "hosts", names(g.rec.Hosts), "authority", k.signer.Name(), "why", why)
	c, fresh, err := k.order(ctx, g.rec.Hosts)
	if err != nil {
		return err
	}
	r := g.rec.renewed(g.cert, fresh, k.signer.Name(), time.Now())
	err = k.commit(g, r)
	k.mu.Lock()
	g.cert = c // also if it could not be kept: it was paid for
	k.mu.Unlock()
	k.counts.renewals.Add(1)
	k.publish(time.Now())
	k.cfg.Log.Info("certificate renewed", "hosts", names(r.Hosts), "authority", r.Signer, "until", c.Leaf.NotAfter)
	return err
}

// order gets a chain from the signer and makes sure that it is what was asked
// for, and that users trust it.
func (k *Keeper) order(ctx context.Context, hosts []string) (*tls.Certificate, member, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, member{}, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: hosts}, key)
	if err != nil {
		return nil, member{}, fmt.Errorf("signing request for %s: %w", names(hosts), err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, member{}, fmt.Errorf("signing request for %s: %w", names(hosts), err)
	}
	chain, err := k.signer.Sign(ctx, csr, hosts)
	if err != nil {
		return nil, member{}, err
	}
	c, err := accept(chain, key, hosts, time.Now())
	if err == nil {
		err = vouched(c, k.roots, time.Now())
	}
	if err != nil {
		return nil, member{}, err
	}
	text, err := formatKey(key)
	return c, member{string(chain), string(text)}, err
}

// forsake gives up a certificate that no service has any more and whose key
// others may know.
func (k *Keeper) forsake(g *group) error {
	if g.rec.Renew == "" {
		return nil
	}
	r := g.rec.retire(g.cert, time.Now())
	r.Chain, r.Key, r.Renew = "", "", ""
	err := k.commit(g, r)
	k.mu.Lock()
	g.cert = nil
	k.mu.Unlock()
	return err
}

// revoke takes back what is to be taken back. Only the authority that signed
// can.
func (k *Keeper) revoke(ctx context.Context, g *group) (told, err error) {
	r := g.rec
	r.Revoke = nil
	for _, t := range g.rec.Revoke {
		switch again, one := k.revokeOne(ctx, t); {
		case again:
			r.Revoke = append(r.Revoke, t)
			err = errors.Join(err, one)
		default:
			told = errors.Join(told, one)
		}
	}
	if len(r.Revoke) < len(g.rec.Revoke) {
		err = errors.Join(err, k.commit(g, r))
	}
	return told, err
}

// revokeOne says also whether there is sense in another try.
func (k *Keeper) revokeOne(ctx context.Context, t taken) (again bool, err error) {
	leaf, err := t.leaf()
	if err != nil {
		return false, err
	}
	what := fmt.Sprintf("the old certificate %x of %s, which ends on %s, is not revoked", leaf.SerialNumber, names(leaf.DNSNames), leaf.NotAfter.UTC().Format(time.DateOnly))
	if t.Signer != k.signer.Name() {
		return false, fmt.Errorf("%s: %s signed it, and is no longer the authority: have it revoked there", what, t.Signer)
	}
	err = k.signer.Revoke(ctx, leaf)
	if err != nil {
		return !errors.Is(err, ErrNoRevocation), fmt.Errorf("%s: %w", what, err)
	}
	k.counts.revoked.Add(1)
	k.cfg.Log.Info("certificate revoked", "hosts", names(leaf.DNSNames), "number", fmt.Sprintf("%x", leaf.SerialNumber))
	return false, nil
}
