package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"landfall/cmd/internal/node"
	"landfall/origin"
)

func chatServeCommand() Command {
	var listen, dir string
	var behind, verbose bool
	return Command{
		Path:  "chat serve",
		Short: "Run the chat alone, on plain HTTP",
		Long: `Serves the chat's page and API. The first start makes an organization, a flow
and a user, and prints how to sign in, once: the password is not kept.
Put something that ends TLS in front of it, such as "landfall edge serve",
and say --behind-proxy then, so that links in answers are https.`,
		Flags: func(f *Flags) {
			f.String(&listen, "listen", "127.0.0.1:8080", "`ADDR` to accept on")
			f.Name(&dir, "dir", "keep all state in `DIR`")
			f.Bool(&behind, "behind-proxy", "believe X-Forwarded-For, -Proto and -Host: only if nothing but your own proxy reaches ADDR")
			f.Bool(&verbose, "verbose", "log more")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			if dir == "" {
				return Usagef("--dir is needed: where messages and accounts are kept")
			}
			return chatServe(ctx, env, listen, env.Path(dir), behind, env.log(verbose))
		},
	}
}

func chatServe(ctx context.Context, env *Env, listen, dir string, behind bool, log *slog.Logger) error {
	l, err := listenTCP(ctx, listen)
	if err != nil {
		return err
	}
	lock, err := node.Lock(dir)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer lock.Close()
	s, err := origin.New(origin.Config{Dir: dir, Log: log})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if err := welcome(ctx, env.Stdout, s, l.Addr()); err != nil {
		return errors.Join(err, s.Close(), l.Close())
	}
	handler := s.Handler()
	if behind {
		handler = s.EdgeHandler()
	}
	return serveChat(ctx, s, l, handler, lock)
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

// serveChat runs the chat and its listener, and ends both when one does or
// when the directory is taken away from under them.
func serveChat(ctx context.Context, s *origin.Server, l net.Listener, h http.Handler, lock *os.File) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 2)
	go func() { defer stop(); ended <- s.Run(ctx) }()
	go func() { defer stop(); ended <- node.Guard(ctx, lock) }()
	err := node.ServeHTTP(ctx, l, h, clientPatience)
	stop()
	return errors.Join(err, <-ended, <-ended)
}
