package origin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	accounts "landfall/origin/accounts/sqlite"
	"landfall/origin/api"
	"landfall/origin/auth"
	"landfall/origin/backend"
	"landfall/origin/bus/local"
	"landfall/origin/chat"
	"landfall/origin/socket"
	store "landfall/origin/store/sqlite"
	"landfall/origin/stream"
	"landfall/origin/web"
)

// Database is the name of the file, in Config.Dir, that everything is in.
const Database = "chat.db"

// grace is how long requests that are being answered may take once the server
// has to stop. Streams end sooner.
const grace = 400 * time.Millisecond

// Config is what a Server needs.
type Config struct {
	Dir    string           // where the data is kept; made if it is not there
	Domain string           // for the address of the first user; empty: "localhost"
	Log    *slog.Logger     // nil: silent
	Now    func() time.Time // the clock that messages are stamped with; nil: time.Now
}

// Server is the chat.
type Server struct {
	cfg      Config
	log      *slog.Logger
	db       *store.DB
	accounts chat.Accounts
	auth     *auth.Auth
	backend  *backend.Backend
	api      *api.API
	stream   *stream.Handler
	socket   *socket.Handler
	web      *web.Handler
	requests requests

	stopping context.Context // ends when Run must
	stop     context.CancelCauseFunc
	closing  sync.Once
	closed   error
}

// New opens the data in cfg.Dir, so that a fault there is told at once and
// before anything listens, and makes the server. Run or Close must follow.
func New(cfg Config) (*Server, error) {
	if cfg.Dir == "" {
		return nil, errors.New("origin: no directory given to keep the data in")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Domain == "" {
		cfg.Domain = "localhost"
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("origin: %w", err)
	}
	ctx := context.Background()
	db, err := store.Open(ctx, filepath.Join(cfg.Dir, Database))
	if err != nil {
		return nil, fmt.Errorf("origin: %w", err)
	}
	s := &Server{cfg: cfg, log: cfg.Log, db: db}
	s.stopping, s.stop = context.WithCancelCause(ctx)
	if err := s.assemble(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("origin: %w", err), s.Close())
	}
	return s, nil
}

// assemble puts the parts together, from the storage up.
func (s *Server) assemble(ctx context.Context) (err error) {
	log, err := store.NewLog(ctx, s.db)
	if err != nil {
		return err
	}
	if s.accounts, err = accounts.New(ctx, s.db.Write, s.db.Read, s.db.Path); err != nil {
		return err
	}
	if s.auth, err = auth.New(s.accounts, s.cfg.Now); err != nil {
		return err
	}
	if s.backend, err = backend.New(backend.Config{Log: log, Accounts: s.accounts, Bus: &local.Bus{}, Logger: s.log, Now: s.cfg.Now}); err != nil {
		return err
	}
	if s.api, err = api.New(api.Config{Auth: s.auth, Backend: s.backend, Accounts: s.accounts, Logger: s.log}); err != nil {
		return err
	}
	if s.stream, err = stream.New(stream.Config{Auth: s.auth, Backend: s.backend, Logger: s.log}); err != nil {
		return err
	}
	if s.socket, err = socket.New(socket.Config{Auth: s.auth, Backend: s.backend, Logger: s.log}); err != nil {
		return err
	}
	s.web, err = web.New(web.Config{Auth: s.auth, Backend: s.backend, Accounts: s.accounts, Logger: s.log})
	return err
}

// errStopping is why streams end when the server does.
var errStopping = errors.New("server is stopping")

// Run does the work behind the requests until ctx ends. Then streams and
// WebSockets end, requests get a moment to be answered, new ones are turned
// away, and the data is closed; nothing that was acknowledged is lost.
func (s *Server) Run(ctx context.Context) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var working sync.WaitGroup
	var err error
	working.Go(func() { err = s.backend.Run(work) })
	<-ctx.Done()
	s.stop(errStopping)
	if n := s.requests.drain(grace); n > 0 {
		s.log.Warn("requests were not answered in time", "requests", n)
	}
	stopWork()
	working.Wait()
	return errors.Join(err, s.Close())
}

// Close closes the data of a server that does not run. After it, requests are
// turned away.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.stop(errStopping)
		s.closed = s.db.Close()
	})
	return s.closed
}
