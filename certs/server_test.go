package certs

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

func TestServerSealsToJoinedEdgesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, key := openAuthority(t, t.TempDir()), newSealing(t)
		m := sealed(network("chat.landfall.test"), key, a)
		m.Nodes = append(m.Nodes,
			landfall.Node{ID: "new1", Roles: []landfall.Role{landfall.RoleEdge}, State: landfall.Invited, Sealing: key.Public()},
			landfall.Node{ID: "bare1", Roles: []landfall.Role{landfall.RoleEdge}})
		k, _ := runKeeper(t, t.TempDir(), a, m)
		synctest.Wait()
		s, err := NewServer(ServerConfig{Keeper: k, Caller: func(r *http.Request) (landfall.NodeID, bool) {
			id := landfall.NodeID(r.Header.Get("Caller"))
			return id, id != ""
		}})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(method, path, caller string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, path, nil).WithContext(t.Context())
			r.Header.Set("Caller", caller)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		asked := make(chan *httptest.ResponseRecorder)
		go func() { asked <- ask("GET", "/certs?after=other", "nyc1") }()
		synctest.Wait()
		select {
		case w := <-asked:
			t.Fatalf("before the first map: %d", w.Code)
		default:
		}
		s.SetMap(m)
		first := <-asked
		plain, err := key.open(first.Body.Bytes(), "test", "nyc1")
		if err != nil {
			t.Fatalf("%d: %v", first.Code, err)
		}
		for _, c := range []struct {
			method, path, caller string
			status               int
			wait                 time.Duration
		}{
			{"GET", "/certs", "nyc1", 200, 0},
			{"GET", "/certs?after=" + versionOf(plain), "nyc1", 204, MaxWait},
			{"GET", "/certs", "", 403, 0},
			{"GET", "/certs", "who", 403, 0},
			{"GET", "/certs", "fra1", 403, 0},
			{"GET", "/certs", "old1", 403, 0},
			{"GET", "/certs", "new1", 403, 0},
			{"GET", "/certs", "bare1", 500, 0},
			{"GET", "/certs", "sin1", 500, 0}, // draining, but still an edge: it has no key in this map
			{"POST", "/certs", "nyc1", 405, 0},
			{"GET", "/other", "nyc1", 404, 0},
		} {
			start := time.Now()
			if w := ask(c.method, c.path, c.caller); w.Code != c.status || time.Since(start) != c.wait {
				t.Errorf("%s %s by %q: %d after %v, want %d after %v", c.method, c.path, c.caller, w.Code, time.Since(start), c.status, c.wait)
			}
		}
		if st := s.Stats(); st.Requests != 10 || st.Sent != 2 || st.Refused != 5 || st.Failed != 2 || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// A node that is removed while it waits gets nothing of what comes after.
func TestRemovedWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, key := openAuthority(t, t.TempDir()), newSealing(t)
		m := sealed(network("chat.landfall.test"), key, a)
		k, _ := runKeeper(t, t.TempDir(), a, m)
		h := newHome(t, k, m)
		synctest.Wait()
		bundle, err := k.shelf.wait(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		w, done := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(done)
			h.server.ServeHTTP(w, httptest.NewRequest("GET", "/certs?after="+versionOf(bundle), nil).WithContext(t.Context()))
		}()
		synctest.Wait()
		gone := m.Clone()
		gone.Nodes[1].State = landfall.Gone
		h.server.SetMap(gone)
		if err := k.Renew(t.Context(), nil, Wanted); err != nil {
			t.Fatal(err)
		}
		<-done
		if w.Code != http.StatusForbidden || w.Body.Len() > 100 {
			t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
		}
	})
}

func TestServerLetsGoOfWhoHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, key := openAuthority(t, t.TempDir()), newSealing(t)
		m := sealed(network(), key, a)
		k, _ := runKeeper(t, t.TempDir(), a, m)
		h := newHome(t, k, m)
		ctx, cancel := context.WithCancel(t.Context())
		w, done := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(done)
			h.server.ServeHTTP(w, httptest.NewRequest("GET", "/certs", nil).WithContext(ctx))
		}()
		synctest.Wait()
		if st := h.server.Stats(); st.Waiting != 1 {
			t.Errorf("%+v", st)
		}
		cancel()
		<-done
		if st := h.server.Stats(); st.Waiting != 0 || w.Code != http.StatusServiceUnavailable {
			t.Errorf("%d, %+v", w.Code, st)
		}
	})
}
