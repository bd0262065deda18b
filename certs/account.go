package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/crypto/acme"
)

// requestTime bounds one request to an authority.
const requestTime = 30 * time.Second

// account is a client of the authority with an account there; mu is held.
func (a *ACME) account(ctx context.Context) (*acme.Client, error) {
	if a.client != nil {
		return a.client, nil
	}
	c, err := a.newClient()
	if err != nil {
		return nil, err
	}
	defer c.HTTPClient.CloseIdleConnections()
	directory, err := c.Discover(ctx)
	switch {
	case err != nil:
		return nil, err
	case !a.cfg.Policy.Agreed:
		return nil, fmt.Errorf("its terms of service are not agreed to (read %s, then write agreed = true under [acme] in network.toml)", directory.Terms)
	case directory.ExternalAccountRequired:
		return nil, errors.New("it wants accounts bound to others made by hand (RFC 8555, 7.3.4), which Landfall has no way to name: choose another authority")
	}
	if c.Key, err = a.accountKey(); err != nil {
		return nil, err
	}
	if err := a.register(ctx, c); err != nil {
		return nil, err
	}
	a.client = c
	return c, nil
}

func (a *ACME) newClient() (*acme.Client, error) {
	roots, err := publicRoots(a.cfg.Policy)
	if err != nil {
		return nil, err
	}
	return &acme.Client{
		DirectoryURL: a.cfg.Policy.EffectiveDirectory(),
		UserAgent:    "landfall",
		RetryBackoff: backoff,
		HTTPClient: &http.Client{Timeout: requestTime, Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			TLSClientConfig:   &tls.Config{RootCAs: roots},
			ForceAttemptHTTP2: true,
		}},
	}, nil
}

// register makes an account for the client's key, or finds the one there is
// (RFC 8555, 7.3.1) and tells it where to write to.
func (a *ACME) register(ctx context.Context, c *acme.Client) error {
	want := &acme.Account{}
	if a.cfg.Policy.Email != "" {
		want.Contact = []string{"mailto:" + a.cfg.Policy.Email}
	}
	_, err := c.Register(ctx, want, acme.AcceptTOS)
	if errors.Is(err, acme.ErrAccountAlreadyExists) {
		err = nil
		if want.Contact != nil {
			_, err = c.UpdateReg(ctx, want)
		}
	}
	if err != nil {
		return err
	}
	a.cfg.Log.Info("account at the authority", "authority", a.Name(), "email", a.cfg.Policy.Email)
	return nil
}

// accountFile holds the key of our account: each authority has its own.
func (a *ACME) accountFile() string {
	sum := sha256.Sum256([]byte(a.Name()))
	return "account-" + hex.EncodeToString(sum[:8]) + ".key"
}

// accountKey reads the key of our account, or makes one.
func (a *ACME) accountKey() (*ecdsa.PrivateKey, error) {
	name := a.accountFile()
	b, err := readSecret(a.cfg.Dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return a.makeAccountKey(name)
	}
	if err != nil {
		return nil, fmt.Errorf("account's key: %w", err)
	}
	key, err := parseKey(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (bring it back from a backup, or remove it to have a new account made)", filepath.Join(a.cfg.Dir.Name(), name), err)
	}
	return key, nil
}

func (a *ACME) makeAccountKey(name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("account's key: %w", err)
	}
	b, err := formatKey(key)
	if err != nil {
		return nil, fmt.Errorf("account's key: %w", err)
	}
	return key, writeFile(a.cfg.Dir, name, b, 0o600)
}
