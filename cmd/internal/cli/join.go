package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/server"
	"landfall/cmd/internal/systemd"
	"landfall/mesh/join"
)

type joinFlags struct {
	dir, tokenFile, geo string
	front               string
	addresses           []string
	wireguard           int
	noStart             bool
}

// unit is the service of the package.
const unit = "landfall.service"

func joinCommand() Command {
	var f joinFlags
	return Command{
		Path:  "join",
		Args:  "[TOKEN]",
		Short: "Make this server a node, with the token of an invitation",
		Long: `Makes this server's keys, which never leave it, proves the TOKEN to the home
server, and keeps what "landfall run" starts from. Where the package's systemd
unit is, it is enabled and started, and the command waits until the node
serves. Interrupted, it can be called again with the same token.

Behind NAT the server is told to users by the address that the home server
sees; --address says otherwise, unless the invitation names its addresses. TOKEN may come from a file or, as "-", from the
standard input, so that it is not in the list of processes.`,
		Flags: func(fs *Flags) {
			stateFlag(fs, &f.dir)
			fs.Name(&f.tokenFile, "token-file", "read the token from `FILE`")
			fs.Strings(&f.addresses, "address", "public `ADDR` of this server; may be repeated; default: found out")
			fs.Int(&f.wireguard, "wireguard-port", config.DefaultWireGuard, "UDP `PORT` of the mesh")
			fs.String(&f.front, "front", "", "what carries streams in the mesh: `FRONT` is auto, tun or netstack")
			fs.Name(&f.geo, "geo", "geographic database `FILE` in MaxMind's format")
			fs.Bool(&f.noStart, "no-start", "leave the systemd unit alone")
		},
		Run: func(ctx context.Context, env *Env, args []string) error {
			j, err := f.joining(env, args)
			if err != nil {
				return err
			}
			m, self, err := server.Join(ctx, j)
			if err != nil {
				return joined(err)
			}
			fmt.Fprintf(env.Stdout, "this server is node %s of the network %s: %s in %s, told to users as %s\n",
				self.ID, j.Token.Network, roles(self.Roles), self.Region, addresses(self.Advertised))
			if err := explainDelegation(env.Stdout, m, self, "has to say now:"); err != nil {
				return err
			}
			return f.start(ctx, env, j.Dir, self)
		},
	}
}

func (f joinFlags) joining(env *Env, args []string) (server.Joining, error) {
	j := server.Joining{Dir: stateDir(env, f.dir), Version: version(), Progress: func(s string) { fmt.Fprintln(env.Stdout, s) }}
	text, err := f.token(env, args)
	if err != nil {
		return j, err
	}
	if j.Token, err = join.ParseToken(text); err != nil {
		return j, Usagef("%v", err)
	}
	if j.Addresses, err = parseAddresses(f.addresses); err != nil {
		return j, usage("--address", err)
	}
	if f.geo != "" {
		j.Geo = env.Path(f.geo)
	}
	if j.Front, err = parseFront(f.front); err != nil {
		return j, usage("--front", err)
	}
	j.WireGuard, err = parsePort(f.wireguard)
	return j, usage("--wireguard-port", err)
}

// maxToken bounds what is read where a token should be.
const maxToken = 64 << 10

func (f joinFlags) token(env *Env, args []string) (string, error) {
	switch {
	case f.tokenFile == "" && len(args) == 0:
		return "", Usagef("which token? `landfall invite` at home prints one")
	case f.tokenFile != "" && len(args) > 0:
		return "", Usagef("give the token or its file, not both")
	case f.tokenFile == "" && args[0] != "-":
		return args[0], nil
	}
	in := env.Stdin
	if f.tokenFile != "" {
		file, err := os.Open(env.Path(f.tokenFile))
		if err != nil {
			return "", fmt.Errorf("token: %w", err)
		}
		defer file.Close()
		in = file
	}
	b, err := io.ReadAll(io.LimitReader(in, maxToken))
	return strings.TrimSpace(string(b)), err
}

// explainDelegation says what a name server that comes or goes means for the
// zone above.
func explainDelegation(out io.Writer, m *landfall.Map, n landfall.Node, what string) error {
	if !n.Has(landfall.RoleDNS) {
		return nil
	}
	p := &printer{out: out}
	p.line("the zone above %s %s", m.Domain, what)
	p.block(server.DelegationOf(m.Domain, n))
	return p.err
}

// joined gives a refusal the exit status of its kind.
func joined(err error) error {
	f, ok := errors.AsType[*join.Failure](err)
	switch {
	case ok && f.Kind == join.Unreachable:
		return Unreachable(err)
	case ok && f.Kind == join.BadToken:
		return Usagef("%v", err)
	}
	return err
}

// start has systemd run the node, if it can, and waits until it serves.
func (f joinFlags) start(ctx context.Context, env *Env, dir string, self landfall.Node) error {
	if f.noStart || !systemd.Enabled() || dir != server.DefaultDir {
		_, err := fmt.Fprintf(env.Stdout, "start it: %s run --dir %s\n", env.program(), dir)
		return err
	}
	fmt.Fprintf(env.Stdout, "starting %s\n", unit)
	if err := systemd.EnableNow(ctx, unit); err != nil {
		return fmt.Errorf("the server has joined, but does not run: %w", err)
	}
	return awaitServing(ctx, env.Stdout, admin.NewClient(dir), self.ID)
}

// servingTimeout is how long a new node may take until all its roles serve.
const servingTimeout = time.Minute

// awaitServing tells what the node waits for, until it waits for nothing.
func awaitServing(ctx context.Context, out io.Writer, c *admin.Client, id landfall.NodeID) error {
	ctx, cancel := context.WithTimeout(ctx, servingTimeout)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for said := ""; ; {
		var s admin.Status
		err := c.Get(ctx, "/status", &s)
		if err == nil && len(s.Waiting) == 0 {
			_, err := fmt.Fprintf(out, "%s serves by map serial %d\n", id, s.Serial)
			return err
		}
		if what := strings.Join(s.Waiting, ", "); err == nil && what != said {
			said = what
			fmt.Fprintf(out, "%s waits for %s\n", id, what)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s runs but does not serve yet: it waits for %s; `landfall doctor` tells what is wrong", id, said)
		case <-tick.C:
		}
	}
}
