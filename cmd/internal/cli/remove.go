package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"landfall"
	"landfall/cmd/internal/control"
)

func removeCommand() Command {
	var dir string
	var now, compromised bool
	return Command{
		Path:  "remove",
		Args:  "NODE",
		Short: "Take a node out of the network for good",
		Long: `Drains NODE, waits until no resolver can still have its addresses, and then
takes its keys out of the map: nobody in the network talks to it any more. Can
be called again if it was interrupted. The server itself is left as it is:
"systemctl disable --now landfall" there ends what still runs.

--compromised is for a node that may be in somebody else's hands. It does not
wait; it orders new certificates with new keys for the whole network, and has
the old ones revoked.

Of an invited node it takes the invitation back.`,
		Flags: func(f *Flags) {
			runningFlag(f, &dir)
			f.Bool(&now, "now", "do not wait for resolvers to forget the node")
			f.Bool(&compromised, "compromised", "cut the node off at once, and replace and revoke certificates")
		},
		Run: func(ctx context.Context, env *Env, args []string) error {
			c := running(env, dir)
			r := removal{c: c, out: env.Stdout, node: landfall.NodeID(args[0]), wait: !now}
			if compromised {
				return r.cutOff(ctx)
			}
			return asked(r.run(ctx))
		},
	}
}

// removal takes one node out, from wherever in its life it is.
type removal struct {
	c    *control.Client
	out  io.Writer
	node landfall.NodeID
	wait bool
}

func (r removal) run(ctx context.Context) error {
	m, err := r.c.Map(ctx)
	if err != nil {
		return err
	}
	n, ok := m.Node(r.node)
	if !ok {
		return fmt.Errorf("there is no node %q (the nodes are %s)", r.node, nodeNames(m))
	}
	switch n.EffectiveState() {
	case landfall.Invited:
		return r.step(ctx, "", "the invitation of %s is taken back")
	case landfall.Active:
		if err := r.step(ctx, landfall.Draining, "%s is draining: no name server names it any more"); err != nil {
			return err
		}
		fallthrough
	case landfall.Draining:
		if r.wait {
			if err := r.forget(ctx, m.Steering.EffectiveTTL()); err != nil {
				return err
			}
		}
		if err := r.step(ctx, landfall.Gone, "%s is gone: its keys are not accepted any more"); err != nil {
			return err
		}
	}
	if err := r.step(ctx, "", "%s is out of the map; a new server may join under its name"); err != nil {
		return err
	}
	return explainDelegation(r.out, m, n, "should not say any more:")
}

func nodeNames(m *landfall.Map) string {
	var out []string
	for _, n := range m.Nodes {
		out = append(out, string(n.ID))
	}
	return strings.Join(out, ", ")
}

// step moves the node on, and waits until the others know.
func (r removal) step(ctx context.Context, to landfall.State, said string) error {
	serial, err := r.c.SetState(ctx, r.node, to)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(r.out, said+" (map serial %d)\n", r.node, serial); err != nil {
		return err
	}
	return tellLate(ctx, r.out, r.c, serial, r.node)
}

// forget waits until no resolver can have the node's addresses any more.
func (r removal) forget(ctx context.Context, ttl time.Duration) error {
	fmt.Fprintf(r.out, "waiting %v, until resolvers have forgotten its addresses (Ctrl-C, and \"landfall remove %s\" goes on later)\n", ttl, r.node)
	timer := time.NewTimer(ttl)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// cutOff is for a node in wrong hands: out of the map, then its certificates
// worthless, and only then whoever has not heard of it is waited for. It can
// be called again at any point.
func (r removal) cutOff(ctx context.Context) error {
	m, err := r.c.Map(ctx)
	if err != nil {
		return asked(err)
	}
	serial, said := m.Serial, fmt.Sprintf("%s is not in the map", r.node)
	n, there := m.Node(r.node)
	if there {
		if serial, err = r.c.CutOff(ctx, r.node); err != nil {
			return asked(err)
		}
		said = fmt.Sprintf("%s is cut off: its keys are not accepted any more", r.node)
	}
	fmt.Fprintf(r.out, "%s (map serial %d)\n", said, serial)
	if err := explainDelegation(r.out, m, n, "must not say any more, for who has the node is believed there:"); err != nil {
		return err
	}
	if err := r.replaceCertificates(ctx); err != nil {
		return err
	}
	return tellLate(ctx, r.out, r.c, serial, r.node)
}

func (r removal) replaceCertificates(ctx context.Context) error {
	fmt.Fprintln(r.out, "ordering new certificates with new keys, and revoking the old ones")
	done, err := r.c.Renew(ctx, control.Renewal{Revoke: true})
	if err != nil {
		return asked(fmt.Errorf("the node is cut off, but its certificates are still good: %w (try again with `landfall certs renew --revoke`)", err))
	}
	said := "every edge gets new certificates; the old ones are revoked"
	if done.Irrevocable {
		said = "every edge gets new certificates; " + irrevocable
	}
	_, err = fmt.Fprintln(r.out, said)
	return err
}
