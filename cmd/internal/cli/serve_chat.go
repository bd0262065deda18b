package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"landfall/cmd/internal/node"
	"landfall/origin"
)

func chatServeCommand() Command {
	var listen, dir string
	var verbose bool
	return Command{
		Path:  "chat serve",
		Short: "Run the chat alone, on plain HTTP",
		Long: `Serves the chat's page and API. The first start makes an organization, a flow
and a user, and prints how to sign in, once: the password is not kept.
Put something that ends TLS in front of it, such as "landfall edge serve".`,
		Flags: func(f *Flags) {
			f.String(&listen, "listen", "127.0.0.1:8080", "`ADDR` to accept on")
			f.String(&dir, "dir", "", "keep all state in `DIR`")
			f.Bool(&verbose, "verbose", "log more")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			if dir == "" {
				return Usagef("--dir is needed: where messages and accounts are kept")
			}
			l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
			if err != nil {
				return fmt.Errorf("chat: %w", err)
			}
			s, err := origin.New(origin.Config{Dir: env.Path(dir), Log: env.log(verbose)})
			if err != nil {
				return errors.Join(err, l.Close())
			}
			if err := welcome(ctx, env.Stdout, s, l.Addr()); err != nil {
				return errors.Join(err, s.Close(), l.Close())
			}
			return serveChat(ctx, s, l)
		},
	}
}

// welcome tells where the chat is and, the first time, how to sign in.
func welcome(ctx context.Context, out io.Writer, s *origin.Server, addr net.Addr) error {
	first, created, err := s.EnsureFirst(ctx, origin.First{})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "serving http on %v\n", addr)
	if created {
		fmt.Fprintf(out, "sign in as %s with %s\ntoken %s, flow %s/%s\nthis is shown once\n",
			first.Email, first.Password, first.Token, first.Organization, first.Flows[0])
	}
	return nil
}

// clientPatience is how long a client may keep a connection without a request.
const clientPatience = time.Minute

// serveChat runs the chat and its listener, and ends both when one does.
func serveChat(ctx context.Context, s *origin.Server, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer stop()
		ended <- s.Run(ctx)
	}()
	err := node.ServeHTTP(ctx, l, s.Handler(), clientPatience)
	stop()
	return errors.Join(err, <-ended)
}
