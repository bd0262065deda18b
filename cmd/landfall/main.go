// Command landfall runs, checks and steers a Landfall network: see
// `landfall help`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"landfall/cmd/internal/cli"
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // a reader that left is an error to clean up after, as any other
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal kills at once
	os.Exit(cli.Main(ctx, cli.OS(), os.Args[1:]))
}
