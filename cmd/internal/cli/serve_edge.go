package cli

import (
	"context"
	"fmt"
	"net/url"

	"landfall/edge"
)

func edgeServeCommand() Command {
	var listen, cert, key, upstream string
	var verbose bool
	return Command{
		Path:  "edge serve",
		Short: "Run an edge alone, in front of one application",
		Long: `Ends TLS and forwards requests, WebSockets and streams of every host of the
certificate to one upstream. The certificate's files are read again when they
change.`,
		Flags: func(f *Flags) {
			f.String(&listen, "listen", ":443", "`ADDR` to accept on, such as 192.0.2.1:443")
			f.Name(&cert, "cert", "`FILE` with the certificate and its chain (PEM)")
			f.Name(&key, "key", "`FILE` with its private key (PEM)")
			f.String(&upstream, "upstream", "", "`URL` of the application, such as http://127.0.0.1:3000")
			f.Bool(&verbose, "verbose", "log more")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			for _, needed := range [][2]string{{"--cert", cert}, {"--key", key}, {"--upstream", upstream}} {
				if needed[1] == "" {
					return Usagef("%s is needed", needed[0])
				}
			}
			u, err := url.Parse(upstream)
			if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" {
				return Usagef("--upstream %s: want http://HOST:PORT or https://HOST:PORT and nothing more", upstream)
			}
			e, err := edge.NewAlone(edge.AloneConfig{Cert: env.Path(cert), Key: env.Path(key), Upstream: u, Log: env.log(verbose)})
			if err != nil {
				return err
			}
			l, err := listenTCP(ctx, listen)
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Stdout, "serving https on %v for %v\n", l.Addr(), u)
			return e.Run(ctx, l)
		},
	}
}
