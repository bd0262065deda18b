package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"landfall/cmd/internal/keyring"
	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/roll"
)

func dnsKeysStatusCommand() Command {
	var k keysFlags
	var offline, asJSON bool
	return Command{
		Path:  "dns keys status",
		Short: "Show the keys of zones, and what comes next",
		Long: `Shows each key of DIR, where it is in its life, what it does next and when, and
what the parent zone is to be told. Where nobody looks after the directory, the
parent zone is asked whether it has done what was asked for; --offline asks nobody.`,
		Flags: func(f *Flags) {
			k.declare(f)
			f.Bool(&offline, "offline", "ask nobody")
			f.Bool(&asJSON, "json", "print all that is known as JSON")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			return k.in(env, func(d keyring.Dir) error {
				names, err := d.Zones()
				if k.zone != "" {
					names = []string{k.zone}
				}
				if err == nil && len(names) == 0 {
					err = fmt.Errorf("%s: %w (landfall dns keys init makes some)", d, keyring.ErrNoKeys)
				}
				if err != nil {
					return err
				}
				out := &printer{out: env.Stdout}
				for _, name := range names {
					if err := out.zone(ctx, env, d, name, offline, asJSON); err != nil {
						return err
					}
				}
				return out.err
			})
		},
	}
}

// zone shows the keys of one zone.
func (p *printer) zone(ctx context.Context, env *Env, d keyring.Dir, name string, offline, asJSON bool) error {
	at := now()
	b, err := d.Installed(name)
	if err == nil {
		p.line("%s: signed elsewhere, until %s", name, b.Until().Format("2006-01-02 15:04:05 MST"))
		if left := b.Until().Sub(at); left < keyring.Warn && !b.Ended(at) {
			p.line("  %s", keyring.Ending(name, b.Until(), at))
		}
		return p.err
	}
	s, notes, err := d.Attend(ctx, name, now(), offline)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(env.Stdout, s)
	}
	switch {
	case !s.End.IsZero():
		p.line("%s: unsigned from %s", name, s.End.Format("2006-01-02 15:04:05 MST"))
	case !s.Leave.IsZero():
		p.line("%s: on its way to be unsigned: waits until the parent zone has no DS record", name)
	case s.Policy.Carried:
		p.line("%s: signed here, carried to name servers", name)
	default:
		p.line("%s: signed here", name)
	}
	p.keys(s, at)
	if s.End.IsZero() {
		p.parent(s, at)
	}
	for _, n := range notes {
		p.line("  note: %s", n)
	}
	return p.err
}

func dnsKeysRollCommand() Command {
	var k keysFlags
	var dry bool
	return Command{
		Path:  "dns keys roll",
		Args:  "zsk|ksk",
		Short: "Replace a key of a zone",
		Long: `Makes a new key and begins to replace the old one by it. All the rest is done
when it is time: a ZSK is published before it signs, and stays until nobody holds
signatures of it; a KSK signs beside the old one until the parent zone has its DS,
which CDS asks for, and nobody holds that of the old. Where the directory is looked
after, each step waits until every name server was seen to have taken the one before.
ZSKs are replaced by themselves as init said; KSKs never are.
--dry-run shows what would happen, and at the earliest when.`,
		Flags: func(f *Flags) {
			k.declare(f)
			f.Bool(&dry, "dry-run", "change nothing")
		},
		Run: func(_ context.Context, env *Env, args []string) error { return k.roll(env, roll.Role(args[0]), dry) },
	}
}

func (k *keysFlags) roll(env *Env, r roll.Role, dry bool) error {
	out := &printer{out: env.Stdout}
	at := now()
	if dry {
		return k.in(env, func(d keyring.Dir) error {
			name, err := k.one(d)
			if err != nil {
				return err
			}
			s, err := d.State(name)
			if err == nil {
				s, err = s.Roll(r, at)
			}
			if err != nil {
				return err
			}
			out.line("nothing is changed; this would happen, at the earliest:")
			out.steps(s, at, s.Last)
			return out.err
		})
	}
	s, err := k.change(env, func(s roll.State) (roll.State, error) {
		s, err := s.Roll(r, at)
		if err == nil {
			s, _, _ = s.Next(at, roll.Facts{})
		}
		return s, err
	})
	if err != nil {
		return err
	}
	out.keys(s, at)
	if s.Policy.Carried {
		out.line("Next: landfall dns keys sign, and carry what it writes to the name servers.")
	}
	return out.err
}

// steps tells what happens to a key and those before it, and to which.
func (p *printer) steps(s roll.State, at time.Time, id roll.ID) {
	p.line("  %s  publish  the new key (%s)", at.Format("2006-01-02 15:04:05 MST"), keyTitle(s, id))
	words := map[string]string{
		"sign": "the new key signs", "ask": "CDS asks the parent zone for its DS", "seen": "the parent zone has it", "remove": "an old key is removed",
	}
	steps := s.Foresee(at, at.Add(365*24*time.Hour))
	slices.SortStableFunc(steps, func(a, b roll.Step) int { return a.At.Compare(b.At) })
	for _, step := range steps {
		if what := words[step.What]; what != "" && step.Key <= id {
			p.line("  %s  %-7s  %s (%s)", step.At.Format("2006-01-02 15:04:05 MST"), step.What, what, keyTitle(s, step.Key))
		}
	}
}

// keyTitle is a key as people know it: by its role, and its tag once it has one.
func keyTitle(s roll.State, id roll.ID) string {
	k, _ := s.Key(id)
	key, err := dnssec.ParseKey(k.Public)
	if err != nil {
		return "a new " + strings.ToUpper(string(k.Role))
	}
	return fmt.Sprintf("%s %d", strings.ToUpper(string(k.Role)), key.Tag)
}

func dnsKeysSawCommand() Command {
	var k keysFlags
	var ttl time.Duration
	return Command{
		Path:  "dns keys seen-ds",
		Short: "Say that the parent zone shows what it was asked for",
		Long: `For parent zones that cannot be asked from here: says that all of its servers show
the DS record that it was asked for, or none any more after "landfall dns keys
remove". Look before you say so: the old key is removed, or the zone unsigned, once
the TTL of what was there before is over.`,
		Flags: func(f *Flags) {
			k.declare(f)
			f.Duration(&ttl, "ttl", 0, "`TTL` of the DS record, if it is longer than was said")
		},
		Run: func(_ context.Context, env *Env, _ []string) error {
			at := now()
			s, err := k.change(env, func(s roll.State) (roll.State, error) {
				s, err := s.SawDS(at, ttl)
				if err == nil {
					s, _, _ = s.Next(at, roll.Facts{})
				}
				return s, err
			})
			if err != nil {
				return err
			}
			out := &printer{out: env.Stdout}
			out.keys(s, at)
			return out.err
		},
	}
}

func dnsKeysRemoveCommand() Command {
	var k keysFlags
	return Command{
		Path:  "dns keys remove",
		Short: "Have a zone unsigned, without a moment in which it cannot be reached",
		Long: `Asks the parent zone by CDS to drop its DS record (RFC 8078), waits until no
server of it shows one and nobody holds one, and then has the name servers sign no
more. The zone stays signed until then.`,
		Flags: k.declare,
		Run: func(_ context.Context, env *Env, _ []string) error {
			at := now()
			s, err := k.change(env, func(s roll.State) (roll.State, error) { return s.Unsign(at) })
			if err != nil {
				return err
			}
			out := &printer{out: env.Stdout}
			out.parent(s, at)
			return out.err
		},
	}
}

func dnsKeysSignCommand() Command {
	var k keysFlags
	var to string
	var offline bool
	return Command{
		Path:  "dns keys sign",
		Short: "Make the bundle that name servers sign a zone with",
		Long: `Has the KSK sign the keys of the months to come, with the changes of ZSKs that
are planned in them, and writes that and the private keys of the ZSKs to FILE, which
is a secret. Carry it to the home server, or to name servers that run by "landfall
dns serve --keys", and run "landfall dns keys install FILE" there.`,
		Flags: func(f *Flags) {
			k.declare(f)
			f.Name(&to, "out", "`FILE` to write; it is replaced")
			f.Bool(&offline, "offline", "do not ask the parent zone what it shows")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			if to == "" {
				return Usagef("--out is needed: the file to write")
			}
			return k.in(env, func(d keyring.Dir) error {
				name, err := k.one(d)
				if err != nil {
					return err
				}
				s, notes, err := d.Attend(ctx, name, now(), offline)
				if err != nil {
					return err
				}
				b, err := d.Sign(name, now())
				if err != nil {
					return err
				}
				if err := keyring.WriteBundle(env.Path(to), b); err != nil {
					return err
				}
				out := &printer{out: env.Stdout}
				if b.End.IsZero() {
					out.line("%s: signed until %s, in %s (a secret)", name, b.Until().Format("2006-01-02 15:04:05 MST"), to)
				} else {
					out.line("%s: unsigned from %s, in %s", name, b.End.Format("2006-01-02 15:04:05 MST"), to)
				}
				out.keys(s, now())
				for _, n := range notes {
					out.line("  note: %s", n)
				}
				return out.err
			})
		},
	}
}

func dnsKeysInstallCommand() Command {
	var k keysFlags
	return Command{
		Path:  "dns keys install",
		Args:  "FILE",
		Short: "Take over a bundle that was signed elsewhere",
		Long: `Puts a bundle that "landfall dns keys sign" has made in place of the one before.
What serves takes it over by itself, on the home server for all name servers. A
bundle that is damaged, or older than the one before, is refused.`,
		Flags: k.declare,
		Run: func(_ context.Context, env *Env, args []string) error {
			b, err := keyring.ReadBundle(env.Path(args[0]))
			if err != nil {
				return err
			}
			if err := k.in(env, func(d keyring.Dir) error { return d.Install(b, now()) }); err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Stdout, "%s: installed, until %s\n", b.Zone, b.Until().Format("2006-01-02 15:04:05 MST"))
			return err
		},
	}
}

func dnsKeysExportCommand() Command {
	var k keysFlags
	return Command{
		Path:  "dns keys export",
		Args:  "DIR",
		Short: "Copy the keys of a zone as BIND has them",
		Long: `Writes the .key and .private files of each key of a zone to DIR, for another name
server to sign with. Only one of them is to change keys from then on.`,
		Flags: k.declare,
		Run: func(_ context.Context, env *Env, args []string) error {
			to := env.Path(args[0])
			return k.in(env, func(d keyring.Dir) error {
				name, err := k.one(d)
				if err != nil {
					return err
				}
				s, err := d.State(name)
				if err != nil {
					return err
				}
				keys, err := d.Private(s)
				if err != nil {
					return err
				}
				return export(env, to, s, keys)
			})
		},
	}
}

func export(env *Env, to string, s roll.State, keys map[roll.ID]dnssec.Key) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, of := range s.Keys {
		key, ok := keys[of.ID]
		if !ok {
			var err error
			if key, err = dnssec.ParseKey(of.Public); err != nil {
				return err
			}
		}
		base, err := keyring.WriteKey(to, s, key)
		if err != nil {
			return err
		}
		fmt.Fprintln(env.Stdout, base)
	}
	return nil
}
