package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"landfall"
	"landfall/cmd/internal/cloud"
	"landfall/cmd/internal/control"
	"landfall/mesh/join"
)

type inviteFlags struct {
	dir, region, place, roles string
	addresses                 []string
	ceiling                   string
	valid                     time.Duration
	cloudInit                 bool
	packageURL, packageSum    string
}

func inviteCommand() Command {
	var f inviteFlags
	return Command{
		Path:  "invite",
		Args:  "NODE",
		Short: "Let a new server join, and print the command to type there",
		Long: `Writes NODE into the map as invited and prints one command with a token. The
token can be used once, by one server, until it expires; whoever has it can
become NODE, so send it as you would a password. Inviting NODE again makes the
older token worthless; "landfall remove NODE" takes the invitation back.

The new server asks home at which address it is seen, and somebody on the way
between the two could put another in its place. If you know the address, pin it
with --address: the server can join with no other.

A region that is new needs --place. Ask this on the home server.`,
		Flags: func(fs *Flags) {
			runningFlag(fs, &f.dir)
			fs.String(&f.region, "region", "", "id of the `REGION` where the server stands, such as nyc")
			fs.String(&f.place, "place", "", "`LAT,LON` of the region if it is new, such as 40.71,-74.01")
			fs.String(&f.roles, "roles", "edge,dns", "what the server will do: `ROLE,...`")
			fs.Strings(&f.addresses, "address", "public `ADDR` of the server, and no other; may be repeated; default: found out")
			fs.String(&f.ceiling, "ceiling", "", "`N` requests a second that it can serve as an edge; default: that of [steering]")
			fs.Duration(&f.valid, "valid", join.DefaultValid, "how long the token can be used, as a `DURATION`")
			fs.Bool(&f.cloudInit, "cloud-init", "print user data for a new server, which joins by itself")
			fs.String(&f.packageURL, "package-url", "", "with --cloud-init: `URL` that the server gets the package from")
			fs.String(&f.packageSum, "package-sha256", "", "with --package-url: its SHA-256 in `HEX`, or \"none\" to trust the transport")
		},
		Run: func(ctx context.Context, env *Env, args []string) error {
			i, err := f.invitation(args[0])
			if err != nil {
				return err
			}
			c := running(env, f.dir)
			got, err := c.Invite(ctx, i)
			if err != nil {
				return asked(err)
			}
			if f.cloudInit {
				return f.writeCloudInit(env.Stdout, env.Stderr, i, got)
			}
			return explainInvite(env.Stdout, i, got)
		},
	}
}

func (f inviteFlags) invitation(node string) (control.Invitation, error) {
	i := control.Invitation{Node: landfall.NodeID(node), Region: landfall.RegionID(f.region), Valid: f.valid}
	var errs []error
	if f.region == "" {
		errs = append(errs, Usagef("where does %s stand? Give its region with --region, such as --region nyc", node))
	}
	if f.place != "" {
		p, err := landfall.ParsePlace(f.place)
		errs = append(errs, usage("--place", err))
		i.Place = &p
	}
	if f.valid <= 0 {
		errs = append(errs, Usagef("--valid %v: want a duration such as 24h", f.valid))
	}
	if f.packageURL+f.packageSum != "" && !f.cloudInit {
		errs = append(errs, Usagef("--package-url and --package-sha256 go with --cloud-init"))
	}
	errs = append(errs, usage("--package-url", cloud.CheckPackage(f.packageURL, f.packageSum)))
	var err error
	i.Roles, err = parseRoles(f.roles)
	errs = append(errs, usage("--roles", err))
	i.Addresses, err = parseAddresses(f.addresses)
	errs = append(errs, usage("--address", err))
	ceiling, err := parseCapacity(f.ceiling, landfall.MaxCeiling)
	errs = append(errs, usage("--ceiling", err))
	if ceiling != nil {
		i.Ceiling = *ceiling
	}
	return i, errors.Join(errs...)
}

func explainInvite(out io.Writer, i control.Invitation, got control.Invited) error {
	p := &printer{out: out}
	p.line("On the new server, as root, with landfall installed:")
	p.line("")
	p.line("  landfall join %s", got.Token)
	p.line("")
	p.line("The token lets one server become %s (%s in %s) until %s. Keep it secret.",
		i.Node, roles(i.Roles), i.Region, got.Expires.Local().Format("2006-01-02 15:04 MST"))
	p.line("%s", whereabouts(i))
	newRegion(p, i, got)
	return p.err
}

// whereabouts says where the server will be found, and how sure that is.
func whereabouts(i control.Invitation) string {
	if len(i.Addresses) > 0 {
		return fmt.Sprintf("It joins as the server at %s, and as no other.", addresses(i.Addresses))
	}
	return "It joins at the address that home sees it at, which somebody on the way between\nthe two could change: if you know the address, pin it with --address."
}

// newRegion says what the operator's file lacks now.
func newRegion(p *printer, i control.Invitation, got control.Invited) {
	if !got.NewRegion {
		return
	}
	p.line("")
	p.line("Region %s is new. Write it into network.toml too:", i.Region)
	p.line("")
	p.line("  [[region]]")
	p.line("  id = %q", i.Region)
	p.line("  place = %q", i.Place)
}

// writeCloudInit prints nothing but the user data on the standard output.
func (f inviteFlags) writeCloudInit(out, notes io.Writer, i control.Invitation, got control.Invited) error {
	data, err := cloud.UserData(cloud.Config{
		Network: got.Network, Node: i.Node, Token: got.Token, Expires: got.Expires, Package: f.packageURL, SHA256: f.packageSum,
	})
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, data); err != nil {
		return err
	}
	p := &printer{out: notes}
	p.line("%s", whereabouts(i))
	newRegion(p, i, got)
	if p.err == nil {
		_, p.err = fmt.Fprintf(notes, "The user data holds a token that is good until %s: delete it where the provider lets you.\n",
			got.Expires.Local().Format("2006-01-02 15:04 MST"))
	}
	return p.err
}
