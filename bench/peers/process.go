package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"landfall/bench/ecs"
)

// start bounds how long a server may take until it answers.
const start = time.Minute

// Server is one that runs.
type Server struct {
	Name string
	Addr netip.AddrPort

	process *exec.Cmd
	ended   chan struct{} // closed when the process has
	output  bytes.Buffer
}

// PID is that of the process.
func (s *Server) PID() int { return s.process.Process.Pid }

// Stop ends the server and waits for it.
func (s *Server) Stop() error {
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(start):
		err := s.process.Process.Kill()
		<-s.ended
		return errors.Join(fmt.Errorf("%s did not end within %v", s.Name, start), err)
	}
}

// Run starts a command and waits until it answers for Zone at addr.
func Run(ctx context.Context, name string, addr netip.AddrPort, argv ...string) (*Server, error) {
	s := &Server{Name: name, Addr: addr, ended: make(chan struct{})}
	path, err := program(argv[0])
	if err != nil {
		return nil, err
	}
	s.process = exec.Command(path, argv[1:]...)
	s.process.Stdout, s.process.Stderr = &s.output, &s.output
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() { s.process.Wait(); close(s.ended) }()
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), s.Stop(), errors.New(s.output.String()))
	}
	return s, nil
}

// program finds what Debian keeps apart from users' programs, too.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path, err := exec.LookPath(filepath.Join("/usr/sbin", name))
	if err != nil {
		return "", fmt.Errorf("%w: apt-get install --no-install-recommends unbound gdnsd knot knot-module-geoip pdns-server pdns-backend-geoip nsd", err)
	}
	return path, nil
}

// ready asks until there is an answer, and about the zone: a resolver is not to
// know anything of Host before it is measured.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, start)
	defer cancel()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.Addr))
	if err != nil {
		return err
	}
	defer conn.Close()
	query, buf := ecs.AppendQuery(nil, 1, ecs.ParseName(Zone), netip.MustParsePrefix("1.1.1.0/24")), make([]byte, 4096)
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		conn.Write(query) // refused until the server listens
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := conn.Read(buf); err == nil {
			if a, err := ecs.Parse(buf[:n]); err == nil && a.Code == 0 {
				tick.Stop()
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return fmt.Errorf("no answer on %v: %w", s.Addr, ctx.Err())
		}
	}
}

// Port finds a free one of loopback.
func Port() (netip.AddrPort, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		return netip.AddrPort{}, err
	}
	return c.LocalAddr().(*net.UDPAddr).AddrPort(), c.Close()
}
