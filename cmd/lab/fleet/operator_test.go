package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"landfall/cmd/lab"
)

// newcomer is a server that has not joined: the host of a user.
const newcomer = "user-fra"

// refused types a command of landfall that must fail with a status, and say
// why.
func (w *world) refused(status int, why, host string, args ...string) {
	w.Helper()
	_, err := w.Host(host).Run(w.ctx, append([]string{"landfall"}, args...)...)
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok || e.ExitCode() != status || !strings.Contains(err.Error(), why) {
		w.Errorf("%s types %.60q: %v, want status %d and %q", host, args, err, status, why)
	}
}

// mistakes are made and told, and change nothing.
func (w *world) mistakes() {
	before, err := w.Map(w.ctx)
	w.must(err)
	w.refused(1, "taken", "fra1", "invite", "nyc1", "--region", "nyc")
	w.refused(1, "used", newcomer, "join", w.tokens[0])
	w.refused(2, "cut off", newcomer, "join", w.tokens[0][:len(w.tokens[0])-9])
	w.refused(1, "already node fra1", "fra1", "init", "other", "--domain", "other.example")
	w.refused(1, "", "fra1", "run") // it runs already
	w.refused(3, "", newcomer, "status")
	w.refused(1, "landfall init", newcomer, "run")
	after, err := w.Map(w.ctx)
	w.must(err)
	if after.Serial != before.Serial {
		w.Errorf("mistakes made map serial %d out of %d", after.Serial, before.Serial)
	}
	w.upstreamDown()
	w.delegatedElsewhere()
}

// upstreamDown stops the application in Go: edges blame nobody else.
func (w *world) upstreamDown() {
	w.must(w.apps.Stop("go"))
	v, err := w.Visit(w.ctx, "user-nyc", "https://go."+Domain+"/")
	w.must(err)
	if v.Status != http.StatusBadGateway || v.Header.Get("Retry-After") == "" {
		w.Errorf("an application that is down: %d %v\n%s", v.Status, v.Header, v.Body)
	}
	w.must(w.apps.Run(w.Fleet, "go"))
	_, _, err = w.Served(w.ctx, "user-nyc", "https://go."+Domain+"/")
	w.must(err)
}

// delegatedElsewhere has the parent zone point at somebody else.
func (w *world) delegatedElsewhere() {
	w.must(w.eventually(w.ctx, "a doctor who finds nothing", w.doctor("fra1", "")))
	w.must(w.Registry.Set(w.ctx, "example.com", Domain+". NS ns.elsewhere\nns.elsewhere A 203.0.113.99"))
	w.must(w.eventually(w.ctx, "a doctor who sees the delegation", w.doctor("fra1", "ns.elsewhere.example.com")))
	w.must(w.Delegate(w.ctx))
	w.must(w.eventually(w.ctx, "a doctor who finds nothing", w.doctor("sin1", "")))
}

// doctor checks that landfall doctor fails and names something, or, for
// nothing, that it does not fail.
func (w *world) doctor(host, names string) func(context.Context) error {
	return func(ctx context.Context) error {
		out, err := w.Host(host).Run(ctx, "landfall", "doctor")
		if names == "" {
			return err
		}
		if err == nil || !strings.Contains(out, names) {
			return fmt.Errorf("landfall doctor says %s, %v", out, err)
		}
		return nil
	}
}

// commandsKilled kills init, join and map apply at random moments, again and
// again: each time the same command goes on, and in the end all is done.
func (w *world) commandsKilled() {
	h := w.Host(newcomer)
	second, joined := filepath.Join(h.Home(), "second"), filepath.Join(h.Home(), "joined")
	w.insist(h, 40*time.Millisecond, "already node", "init", "second", "--domain", "second.example", "--dir", second)
	w.must(w.Describe("[[record]]\nname = \"killed.edge.example.com\"\ntype = \"TXT\"\ndata = \"again\"\n"))
	w.insist(w.On(Home), 60*time.Millisecond, "nothing changes", "map", "apply")

	token, err := w.Invite(w.ctx, Server{Node: newcomer, Region: "fra", Place: places()["fra"]})
	w.must(err)
	w.insist(h, 300*time.Millisecond, "already", "join", "--dir", joined, token)
	m, err := w.Map(w.ctx)
	w.must(err)
	if n, ok := m.Node(newcomer); !ok || !n.Joined() {
		w.Errorf("after all, the map says %+v", n)
	}
	w.must2(w.Type(w.ctx, Home, "remove", newcomer, "--now"))
}

// insist types a command again and again and kills it, each time a little
// later, until it has nothing left to do or was left alone and is done.
func (w *world) insist(h *lab.Host, within time.Duration, done string, args ...string) {
	w.Helper()
	const kills = 16
	for round := range time.Duration(kills + 2) {
		ctx, cancel := context.WithTimeout(w.ctx, within*(round+1)/kills)
		if round >= kills {
			ctx, cancel = context.WithCancel(w.ctx)
		}
		out, err := h.Run(ctx, append([]string{"landfall"}, args...)...)
		killed := ctx.Err() != nil
		cancel()
		if strings.Contains(fmt.Sprint(out, err), done) {
			w.Logf("%s was killed %d times at most", args[0], round)
			return
		}
		if err != nil && !killed {
			w.Fatalf("%.60q, round %d: %s, %v", args, round, out, err)
		}
	}
	w.Fatalf("%.60q never says %q", args, done)
}
