package cli

import (
	"context"
	"fmt"
	"net"
)

// listenTCP opens the address of a --listen flag.
func listenTCP(ctx context.Context, addr string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, Usagef("--listen %s: want ADDR:PORT, such as 127.0.0.1:8080", addr)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--listen %s: %w", addr, err)
	}
	return l, nil
}
