package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/control"
	"landfall/cmd/internal/handover"
	"landfall/cmd/internal/node"
	"landfall/cmd/internal/systemd"
)

// place is where a name server alone serves: its state directory and sockets,
// which a successor takes over.
type place struct {
	dnsServing
	env *Env
	dir string // the state directory; "" if there is none

	lock   *os.File         // on the directory; nil without one, or not yet
	held   handover.Sockets // what was answered on, and will be again
	legacy *handover.Legacy // of who serves still; nil: nobody does
	root   []byte           // that cookies are derived from
	dark   []string         // zones that who serves still does not answer either, for want of keys

	started time.Time // of the process
}

// known is what a successor is told.
type known struct {
	Cookies []byte   `json:"cookies"`
	Dark    []string `json:"dark,omitempty"`
}

// lockSocket is what the lock on the state directory goes by: it passes from
// hand to hand, and is never open in between.
const lockSocket = "lock"

// enter makes the place this process's, or that of whom it is to replace.
func (p *place) enter(ctx context.Context) (err error) {
	p.root = node.NewCookieRoot()
	if p.dir == "" {
		return nil
	}
	lock := func() (err error) {
		p.lock, err = node.Lock(p.dir)
		return err
	}
	if !p.replace {
		return lock()
	}
	if p.legacy, err = handover.TakeOrEnter(ctx, p.dir, lock); err != nil || p.legacy == nil {
		return err
	}
	return p.inherit()
}

// inherit takes up what the process before had.
func (p *place) inherit() error {
	var k known
	if err := p.legacy.Learn(&k); err != nil {
		return err
	}
	if len(k.Cookies) > 0 {
		p.root = k.Cookies
	}
	p.dark = k.Dark
	for _, s := range p.legacy.Sockets {
		if s.Name == lockSocket {
			p.lock = s.File
		} else {
			p.held = append(p.held, s)
		}
	}
	if p.lock == nil {
		return errors.New("the process that serves has no state directory to give")
	}
	return nil
}

func (p *place) leave() error {
	err := p.held.Close()
	if p.lock != nil {
		err = errors.Join(err, p.lock.Close())
	}
	return err
}

// hold keeps open what is answered on from now on, and nothing else.
func (p *place) hold(socks *dnsSockets) error {
	held, err := socks.hold()
	if err != nil {
		return err
	}
	before := p.held
	p.held = held
	return before.Close()
}

// worse says why who serves still had better go on: it signs zones that have to
// be signed, and that could not be answered here.
func (p *place) worse(lacking []string) error {
	for _, name := range lacking {
		if p.legacy != nil && !slices.Contains(p.dark, name) {
			return fmt.Errorf("%s is answered signed, and its keys are gone: put them back where --keys says (or have it unsigned first: landfall dns keys remove)", name)
		}
	}
	return nil
}

// give is what a successor gets.
func (k *dnsDesk) give() (handover.Parcel, error) {
	know, err := json.Marshal(known{Cookies: k.root, Dark: k.d.Lacking(k.m())})
	sockets := append(handover.Sockets{{Name: lockSocket, File: k.lock}}, k.held...)
	return handover.Parcel{Sockets: sockets, Know: know}, err
}

// dnsDesk is where operators ask while a name server answers, and where successors
// come.
type dnsDesk struct {
	*place
	d     *node.DNS
	file  *networkFile
	admin *admin.Server
	old   *handover.Old                 // nil without a state directory
	heir  atomic.Pointer[handover.Heir] // nil: nobody is ready
}

func (p *place) newDesk(d *node.DNS, file *networkFile) *dnsDesk {
	k := &dnsDesk{place: p, d: d, file: file}
	k.admin = admin.New(admin.Config{
		Self: alone, Status: k.status, Overview: func(context.Context) admin.Overview { return k.overview() },
		Control: control.Replacing(k.start, p.log), Log: p.log,
	})
	d.Register(k.admin)
	k.admin.Register("geodns", func() any { return file.Stats() })
	return k
}

// m is the map in force.
func (k *dnsDesk) m() *landfall.Map { return k.file.now.Load() }

// run serves operators until ctx ends, and calls stop when a successor is ready.
func (k *dnsDesk) run(ctx context.Context, socks *dnsSockets, stop func()) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	ctx, end := context.WithCancel(ctx)
	defer end()
	for _, l := range socks.admin {
		serving.Go(func() { serveAdmin(ctx, l, k.admin.Public()) })
	}
	select {
	case <-k.d.Serving():
	case <-ctx.Done():
		return nil
	}
	if err := k.settle(ctx, &serving); err != nil {
		return err
	}
	k.tell(socks, k.m())
	k.tellKeys()
	if err := systemd.Ready("answering for " + strings.Join(zonesOf(k.m()), ", ")); err != nil {
		k.log.Warn("service manager not told", "err", err)
	}
	if k.old != nil {
		defer k.old.Close()
		if heir, err := k.old.Await(ctx); err == nil { // else ctx has ended
			k.heir.Store(heir)
			stop()
		}
	}
	<-ctx.Done()
	return nil
}

// settle waits until nobody else serves, and opens what operators and
// successors ask through.
func (k *dnsDesk) settle(ctx context.Context, serving *sync.WaitGroup) (err error) {
	if k.dir == "" {
		return nil
	}
	if k.legacy != nil {
		if err := k.legacy.Ready(ctx); err != nil {
			return err
		}
	}
	l, err := admin.Listen(k.dir)
	if err != nil {
		return err
	}
	if k.old, err = handover.Open(handover.Config{Dir: k.dir, Give: k.give, Log: k.log}); err != nil {
		return errors.Join(err, l.Close())
	}
	serving.Go(func() {
		if err := admin.ServeOn(ctx, l, k.admin.Local()); err != nil {
			k.log.Error("operators cannot ask", "err", err)
		}
	})
	if k.legacy != nil {
		k.legacy.Thank()
		k.legacy = nil
	}
	return nil
}

// serveAdmin answers who asks for metrics, until ctx ends.
func serveAdmin(ctx context.Context, l net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h, ReadTimeout: adminTimeout, WriteTimeout: adminTimeout, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(done); srv.Close() })
	_ = srv.Serve(l)
	if !stop() {
		<-done
	}
}

const adminTimeout = 10 * time.Second

// release lets the successor alone go on, if there is one. Again reports that
// it is gone, so that this process has to answer.
func (k *dnsDesk) release(ctx context.Context) (again bool) {
	heir := k.heir.Load()
	if heir == nil {
		return false
	}
	if err := heir.Release(context.WithoutCancel(ctx)); err != nil {
		k.log.Error("answering again", "err", err)
		return ctx.Err() == nil
	}
	k.log.Info("replaced", "pid", heir.PID)
	if err := systemd.MainPID(heir.PID); err != nil {
		k.log.Warn("service manager not told", "err", err)
	}
	return false
}

// start starts a successor, as this process was started.
func (k *dnsDesk) start(ctx context.Context) (pid int, err error) {
	program, err := handover.Program(os.Args)
	if err != nil {
		return 0, err
	}
	return k.old.Start(ctx, program, os.Args[1:], handover.Environ(os.Environ()))
}

// alone is what a name server alone is called.
const alone = landfall.NodeID("dns")

func (k *dnsDesk) status() admin.Status {
	m := k.m()
	s := admin.Status{
		Node: alone, Region: "-", Roles: []landfall.Role{landfall.RoleDNS}, State: landfall.Active, Network: m.Network,
		Version: version(), Serial: m.Serial, Started: k.started, Clock: time.Now(), DNS: k.d.Status(), Keys: k.d.Keys(),
	}
	s.DNS.Refused = k.file.trouble()
	for _, name := range k.d.Lacking(m) {
		s.Waiting = append(s.Waiting, "keys of "+name)
	}
	return s
}

func (k *dnsDesk) overview() admin.Overview {
	m := k.m()
	home, _ := m.Home()
	return admin.Overview{Network: m.Network, Domain: m.Domain, Serial: m.Serial, Home: home.ID, Nodes: []admin.Status{k.status()}}
}

func (s dnsServing) stateDir(env *Env) (string, error) {
	switch {
	case s.state != "":
		return env.Path(s.state), nil
	case s.replace:
		return "", Usagef("%s needs --state: that is where both processes find each other", handover.Flag)
	}
	return "", nil
}
