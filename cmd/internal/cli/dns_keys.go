package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"landfall/cmd/internal/keyring"
	"landfall/cmd/internal/node"
	"landfall/cmd/internal/server"
	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/bundle"
	"landfall/geodns/dnssec/roll"
	"landfall/geodns/zone"
)

// keysFlags say which keys a command is about.
type keysFlags struct {
	dir, zone string
}

func (k *keysFlags) declare(f *Flags) {
	f.Name(&k.dir, "dir", "`DIR` with the keys; default: "+node.KeysIn(server.DefaultDir)+", or dnssec in $"+dirVariable)
	f.String(&k.zone, "zone", "", "the `ZONE`, where there are keys of several")
}

// in does something with the directory, as the owner of the state directory
// where that is the one.
func (k *keysFlags) in(env *Env, do func(keyring.Dir) error) error {
	if k.dir != "" {
		return do(keysIn(env.Path(k.dir)))
	}
	state := stateDir(env, "")
	return server.AsOwner(state, func() error { return do(keyring.Dir(node.KeysIn(state))) })
}

// keysIn is a directory with keys, which may be that of a state directory that was
// named.
func keysIn(dir string) keyring.Dir {
	keys := node.KeysIn(dir)
	if info, err := os.Stat(keys); err == nil && info.IsDir() {
		return keyring.Dir(keys)
	}
	return keyring.Dir(dir)
}

// one is the zone that is meant.
func (k *keysFlags) one(d keyring.Dir) (string, error) {
	if k.zone != "" {
		return zoneName("--zone", k.zone)
	}
	all, err := d.Zones()
	switch {
	case err != nil:
		return "", err
	case len(all) == 0:
		return "", fmt.Errorf("%s: %w (landfall dns keys init makes some)", d, keyring.ErrNoKeys)
	case len(all) > 1:
		return "", Usagef("%s has keys of %s: say which with --zone", d, strings.Join(all, ", "))
	}
	return all[0], nil
}

// zoneName is a zone that a flag names as files and maps name it.
func zoneName(flag, s string) (string, error) {
	n, err := zone.ParseName(strings.ToLower(s))
	if err != nil || len(n) == 1 || strings.ContainsAny(n.String(), `/\`) {
		return "", Usagef("%s %s: that is no name of a zone", flag, s)
	}
	return n.String(), nil
}

// change has what is known of one zone's keys changed.
func (k *keysFlags) change(env *Env, change func(roll.State) (roll.State, error)) (s roll.State, err error) {
	err = k.in(env, func(d keyring.Dir) error {
		name, err := k.one(d)
		if err == nil {
			s, err = d.Change(name, change)
		}
		return err
	})
	return s, err
}

// now is the time in whole seconds, as it is kept.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

type keysInit struct {
	keysFlags

	network string
	carried bool
	from    []string
	policy  roll.Policy
}

// carriedPropagation is the default for what is carried by hand.
const carriedPropagation = 7 * 24 * time.Hour

func dnsKeysInitCommand() Command {
	var k keysInit
	usual := keyring.DefaultPolicy()
	return Command{
		Path:  "dns keys init",
		Short: "Make the keys that a zone is to be signed with",
		Long: `Makes a key-signing key (KSK) and a zone-signing key (ZSK), both for ECDSA P-256,
and prints the DS record for the parent zone. On the home server of a network
that is all: name servers sign from now on. --carried is for a directory that no
process looks after, such as one on a laptop that is mostly off: what name
servers need is then made by "landfall dns keys sign" and carried to them, and
the KSK never leaves the directory. --from takes keys over that another name server
signs with, by the names of their files without .key and .private.

Keys lie in DIR as BIND has them, secrets readable for their owner alone.`,
		Flags: func(f *Flags) {
			k.declare(f)
			f.String(&k.network, "network", "network.toml", "`FILE` whose domain is the zone, if --zone does not say")
			f.Bool(&k.carried, "carried", "nobody looks after the directory: bundles are carried to name servers")
			f.Strings(&k.from, "from", "`KEY` to take over, such as Kexample.com.+013+12345; once for each")
			f.Duration(&k.policy.KeyTTL, "key-ttl", usual.KeyTTL, "for how long resolvers may keep the `KEYS`")
			f.Duration(&k.policy.ZoneTTL, "zone-ttl", usual.ZoneTTL, "longest `TTL` of the zone; where name servers are looked at, it is found out if it is longer")
			f.Duration(&k.policy.ParentTTL, "parent-ttl", usual.ParentTTL, "`TTL` of DS records in the parent zone, until one is seen")
			f.Duration(&k.policy.ParentLag, "parent-lag", usual.ParentLag, "`TIME` until all servers of the parent zone show what one does")
			f.Duration(&k.policy.Propagation, "propagation", carriedPropagation, "`TIME` until a bundle has been carried to all name servers")
			f.Duration(&k.policy.ZSKLife, "zsk-life", usual.ZSKLife, "`TIME` after which the ZSK is replaced; 0 leaves that to you")
			f.Duration(&k.policy.Ahead, "ahead", usual.Ahead, "`TIME` for which the KSK signs ahead")
		},
		Run: func(_ context.Context, env *Env, _ []string) error { return k.run(env) },
	}
}

func (k *keysInit) run(env *Env) error {
	name := k.zone
	if name == "" {
		m, err := readMap(env, k.network)
		if err != nil {
			return fmt.Errorf("--zone is not given, and %s does not say it: %w", title(k.network), err)
		}
		name = m.Domain
	}
	name, err := zoneName("--zone", name)
	if err != nil {
		return err
	}
	p := k.policy
	p.Carried = k.carried
	var given []dnssec.Key
	for _, base := range k.from {
		key, err := keyring.ReadKey(env.Path(strings.TrimSuffix(strings.TrimSuffix(base, ".private"), ".key")))
		if err != nil {
			return fmt.Errorf("--from: %w", err)
		}
		given = append(given, key)
	}
	var s roll.State
	var dir string
	if err := k.in(env, func(d keyring.Dir) (err error) {
		dir = string(d)
		s, err = d.Begin(name, p, now(), given...)
		return err
	}); err != nil {
		return err
	}
	out := &printer{out: env.Stdout}
	out.line("%s has keys in %s", name, dir)
	out.keys(s, now())
	out.line("")
	out.parent(s, now())
	if p.Carried {
		out.line("Next: landfall dns keys sign --dir %s --zone %s --out FILE, carry FILE to the home server or", dir, name)
		out.line("name servers, and run landfall dns keys install FILE there.")
	}
	out.line("For tests before that: delv @ADDR -a %s +root=%s. %s. SOA, with ADDR of a name server", filepath.Join(dir, name+".anchor"), name, name)
	return out.err
}

// keys lists the keys of a zone.
func (p *printer) keys(s roll.State, at time.Time) {
	for _, k := range s.Keys {
		key, err := dnssec.ParseKey(k.Public)
		if err != nil {
			p.err = errors.Join(p.err, err)
			return
		}
		line := fmt.Sprintf("  %s %5d  %-9s", strings.ToUpper(string(k.Role)), key.Tag, s.Phase(k, at))
		if what, when := s.Coming(k, at); what != "" && when.IsZero() {
			line += "  waits until " + what
		} else if what != "" {
			line += fmt.Sprintf("  %s: %s", when.Format("2006-01-02 15:04:05 MST"), what)
		}
		p.line("%s", strings.TrimRight(line, " "))
	}
}

// parent says what the parent zone is to have, and when.
func (p *printer) parent(s roll.State, at time.Time) {
	apex, err := zone.ParseName(s.Zone)
	if err != nil {
		p.err = errors.Join(p.err, err)
		return
	}
	v := s.At(at)
	if v.Delete {
		p.line("The parent zone of %s is to have no DS record from now on. CDS says so", s.Zone)
		p.line("(RFC 8078); a parent zone that does not read it has to be told by its registrar.")
		return
	}
	for _, k := range s.Keys {
		key, err := dnssec.ParseKey(k.Public)
		if err != nil || k.Role != roll.KSK || !k.Remove.IsZero() || !k.Seen.IsZero() {
			continue
		}
		switch {
		case v.Asked == k.ID:
			p.line("The parent zone of %s is to have this DS record from now on, and no other:", s.Zone)
		case k.Ask.IsZero():
			p.line("The parent zone of %s is to have this DS record, but NOT YET: when all", s.Zone)
			p.line("name servers show the key and what was before has expired (landfall dns keys status):")
		default:
			p.line("The parent zone of %s is to have this DS record, but NOT BEFORE %s:", s.Zone, k.Ask.Format("2006-01-02 15:04:05 MST"))
		}
		for _, rr := range bundle.Records(apex, key) {
			p.line("  %s", rr)
		}
		p.line("Give the first to the registrar; a parent zone that reads CDS (RFC 7344) takes it by itself.")
	}
}
