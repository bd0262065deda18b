package lab

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Where Pebble answers, as it does everywhere.
const (
	directoryPort  = 14000
	managementPort = 15000
)

// Authority is a Pebble server: a certificate authority that speaks ACME (RFC
// 8555) and looks at challenges as strictly as a public one.
type Authority struct {
	*Process
	Directory string // its URL
	Root      []byte // the root that its certificates come from, in PEM
}

// PebbleBinary builds Pebble from the module in dir that has it as a tool, or
// finds the one that the go command built before.
func PebbleBinary(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "-n", "github.com/letsencrypt/pebble/v2/cmd/pebble")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w\n%s", err, e.Stderr)
		}
		return "", fmt.Errorf("build pebble: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// StartAuthority starts Pebble on the host, and a resolver beside it that
// keeps no answer. All hosts trust it from then on, as they trust a public
// authority.
func (h *Host) StartAuthority(ctx context.Context, pebble string, root netip.Addr) (*Authority, error) {
	// Authorities are patient with name servers that are down, and Pebble
	// asks over TCP, for all challenges of an order at once.
	if _, err := h.StartResolver(ctx, root, "cache-max-ttl: 0", "cache-max-negative-ttl: 0", "discard-timeout: 8000", "incoming-num-tcp: 100"); err != nil {
		return nil, err
	}
	dir := filepath.Join(h.Dir(), "pebble")
	tls, err := selfSigned(dir, h.Addresses[0])
	if err != nil {
		return nil, err
	}
	if err := h.lab.Trust(tls); err != nil {
		return nil, err
	}
	conf, err := pebbleConfig(dir)
	if err != nil {
		return nil, err
	}
	p, err := h.Start(Program{
		Args: []string{pebble, "-strict", "-config", conf, "-dnsserver", "127.0.0.1:53"},
		Env:  []string{"PEBBLE_VA_NOSLEEP=1"},
	})
	if err != nil {
		return nil, err
	}
	a := &Authority{Process: p, Directory: h.url(directoryPort, "/dir")}
	err = p.Until(ctx, "root certificate", func(ctx context.Context) (err error) {
		a.Root, err = h.get(ctx, h.url(managementPort, "/roots/0"))
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, h.lab.Trust(a.Root)
}

func (h *Host) url(port uint16, path string) string {
	return "https://" + netip.AddrPortFrom(h.Addresses[0], port).String() + path
}

// get fetches a small page from the host.
func (h *Host) get(ctx context.Context, url string) ([]byte, error) {
	client, err := h.HTTPClient()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// pebbleConfig writes Pebble's configuration beside its certificate.
func pebbleConfig(dir string) (file string, err error) {
	b, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress":           fmt.Sprintf("0.0.0.0:%d", directoryPort),
		"managementListenAddress": fmt.Sprintf("0.0.0.0:%d", managementPort),
		"certificate":             filepath.Join(dir, "cert.pem"),
		"privateKey":              filepath.Join(dir, "key.pem"),
		"httpPort":                80,
		"tlsPort":                 443,
		"keyAlgorithm":            "ecdsa",
		"retryAfter":              map[string]int{"authz": 1, "order": 1},
	}})
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, "pebble.json")
	return file, os.WriteFile(file, b, 0o600)
}

// selfSigned makes a certificate for an address in dir, and returns it in PEM.
func selfSigned(dir string, a netip.Addr) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		IPAddresses: []net.IP{a.AsSlice()},
		IsCA:        true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	return text, errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "cert.pem"), text, 0o644),
		os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600),
	)
}
