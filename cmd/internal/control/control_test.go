package control

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
)

// clerk does nothing but remember what he was asked.
type clerk struct {
	asked []any
	err   error
}

func (c *clerk) SetState(_ context.Context, n landfall.NodeID, to landfall.State) (landfall.Serial, error) {
	c.asked = append(c.asked, n, to)
	return 7, c.err
}

func (c *clerk) Set(_ context.Context, s Setting) (landfall.Serial, error) {
	c.asked = append(c.asked, s)
	return 5, c.err
}

func (c *clerk) CutOff(_ context.Context, n landfall.NodeID) (landfall.Serial, error) {
	c.asked = append(c.asked, n)
	return 6, c.err
}

func (c *clerk) Invite(_ context.Context, i Invitation) (Invited, error) {
	c.asked = append(c.asked, i)
	return Invited{Token: "secret"}, c.err
}

func (c *clerk) Apply(_ context.Context, a Application) (Applied, error) {
	c.asked = append(c.asked, a.Base, a.Declared.Domain)
	return Applied{Serial: 9, Kept: []landfall.RegionID{"nyc"}}, c.err
}

func (c *clerk) Certificates(context.Context) ([]admin.Certificate, error) {
	return []admin.Certificate{{Hosts: []string{"app.example.com"}}}, c.err
}

func (c *clerk) Renew(_ context.Context, r Renewal) (Renewed, error) {
	c.asked = append(c.asked, r)
	return Renewed{Irrevocable: true}, c.err
}

// serve answers with op on a control socket.
func serve(t *testing.T, m *landfall.Map, op Operator) *Client {
	t.Helper()
	dir := t.TempDir()
	a := admin.New(admin.Config{Self: "fra1", Control: Handler(func() *landfall.Map { return m }, op, slog.New(slog.DiscardHandler))})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	l, err := admin.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(a.Local())
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	go func() { <-ctx.Done(); srv.Close(); ended <- nil }()
	t.Cleanup(func() { stop(); <-ended })
	return NewClient(dir)
}

func TestEveryRequestArrivesWholeAndItsAnswerReturns(t *testing.T) {
	op := &clerk{}
	c, ctx := serve(t, &landfall.Map{Network: "shop", Serial: 3}, op), t.Context()
	if m, err := c.Map(ctx); err != nil || m.Serial != 3 {
		t.Errorf("map: %v, %v", m, err)
	}
	if n, err := c.SetState(ctx, "nyc1", landfall.Draining); n != 7 || err != nil {
		t.Errorf("state: %d, %v", n, err)
	}
	if n, err := c.CutOff(ctx, "nyc2"); n != 6 || err != nil {
		t.Errorf("cut off: %d, %v", n, err)
	}
	set := Setting{Node: "nyc1", Advertised: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Roles: []landfall.Role{"dns"}}
	if n, err := c.Set(ctx, set); n != 5 || err != nil {
		t.Errorf("set: %d, %v", n, err)
	}
	i := Invitation{Node: "nyc1", Region: "nyc", Place: &landfall.Place{Lat: 40.71, Lon: -74.01}, Roles: []landfall.Role{"edge"}, Valid: time.Hour, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.7")}}
	if got, err := c.Invite(ctx, i); got.Token != "secret" || err != nil {
		t.Errorf("invite: %+v, %v", got, err)
	}
	if got, err := c.Apply(ctx, Application{5, &landfall.Map{Domain: "edge.example.com"}}); !reflect.DeepEqual(got.Kept, []landfall.RegionID{"nyc"}) || err != nil {
		t.Errorf("apply: %+v, %v", got, err)
	}
	r := Renewal{Hosts: []string{"app.example.com"}, Revoke: true}
	if got, err := c.Renew(ctx, r); !got.Irrevocable || err != nil {
		t.Errorf("renew: %+v, %v", got, err)
	}
	want := []any{landfall.NodeID("nyc1"), landfall.Draining, landfall.NodeID("nyc2"), set, i, landfall.Serial(5), "edge.example.com", r}
	if !reflect.DeepEqual(op.asked, want) {
		t.Errorf("asked %+v\nwant  %+v", op.asked, want)
	}
	if list, err := c.Certificates(ctx); err != nil || len(list) != 1 {
		t.Errorf("certificates: %v, %v", list, err)
	}
}

func TestRefusalsComeBackAsTheyWereSaid(t *testing.T) {
	c := serve(t, &landfall.Map{}, &clerk{err: errors.New(`there is no node "x&y"`)})
	for what, err := range map[string]error{
		"state":  second(c.SetState(t.Context(), "x&y", landfall.Active)),
		"invite": second(c.Invite(t.Context(), Invitation{})),
		"apply":  second(c.Apply(t.Context(), Application{Declared: &landfall.Map{}})),
		"certs":  second(c.Certificates(t.Context())),
		"renew":  second(c.Renew(t.Context(), Renewal{})),
	} {
		if err == nil || err.Error() != `there is no node "x&y"` {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestElsewhereIsToldWhereToAsk(t *testing.T) {
	m := &landfall.Map{
		Regions: []landfall.Region{{ID: "fra", Home: true}},
		Nodes:   []landfall.Node{{ID: "fra1", Region: "fra", Roles: []landfall.Role{landfall.RoleOrigin}}},
	}
	c := serve(t, m, nil)
	if _, err := c.Invite(t.Context(), Invitation{}); err == nil || !strings.Contains(err.Error(), "ask on fra1") {
		t.Errorf("got %v", err)
	}
	if got, err := c.Map(t.Context()); err != nil || got.Nodes[0].ID != "fra1" {
		t.Errorf("every node shows its map: %v, %v", got, err)
	}
}

func TestUnknownFieldsAreRefused(t *testing.T) {
	h := Handler(func() *landfall.Map { return &landfall.Map{} }, &clerk{}, slog.New(slog.DiscardHandler))
	for _, body := range []string{`{"node":"a","stat":"gone"}`, `{"node":"a"} {}`, `{`, ``} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/state", strings.NewReader(body)))
		if w.Code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestDeclareKeepsWhatNodesBrought(t *testing.T) {
	now := &landfall.Map{
		Network: "shop", Domain: "edge.example.com", Authority: "pem", Serial: 4,
		Regions:  []landfall.Region{{ID: "fra", Home: true}, {ID: "nyc"}, {ID: "syd"}},
		Nodes:    []landfall.Node{{ID: "fra1", Region: "fra"}, {ID: "nyc1", Region: "nyc", State: landfall.Draining}},
		Services: []landfall.Service{{Host: "old.edge.example.com"}},
	}
	file := &landfall.Map{
		Network: "shop", Domain: "edge.example.com",
		Regions:  []landfall.Region{{ID: "fra", Home: true, Title: "Frankfurt"}, {ID: "sin"}},
		Services: []landfall.Service{{Host: "app.edge.example.com"}},
		ACME:     landfall.ACME{Agreed: true},
	}
	kept, err := Declare(now, file)
	if err != nil || !reflect.DeepEqual(kept, []landfall.RegionID{"nyc"}) {
		t.Fatalf("kept %v, %v", kept, err)
	}
	var regions []landfall.RegionID
	for _, r := range now.Regions {
		regions = append(regions, r.ID)
	}
	if !reflect.DeepEqual(regions, []landfall.RegionID{"fra", "sin", "nyc"}) || now.Regions[0].Title != "Frankfurt" {
		t.Errorf("regions are %+v", now.Regions)
	}
	if len(now.Nodes) != 2 || now.Nodes[1].State != landfall.Draining || now.Authority != "pem" || now.Serial != 4 {
		t.Errorf("what was not declared has changed: %+v", now)
	}
	if len(now.Services) != 1 || now.Services[0].Host != "app.edge.example.com" || !now.ACME.Agreed {
		t.Errorf("what was declared is not in force: %+v", now)
	}
}

func TestDeclareRefusesWhatIsNotThisNetworks(t *testing.T) {
	now := &landfall.Map{Network: "shop", Domain: "edge.example.com"}
	for want, file := range map[string]*landfall.Map{
		"keeps its name": {Network: "store", Domain: "edge.example.com"},
		"new network":    {Network: "shop", Domain: "cdn.example.com"},
		"nodes join":     {Network: "shop", Domain: "edge.example.com", Nodes: []landfall.Node{{ID: "fra1"}}},
	} {
		if _, err := Declare(now.Clone(), file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestSettingMovesAddressesAndKeepsThePort(t *testing.T) {
	a := netip.MustParseAddr
	m := &landfall.Map{Nodes: []landfall.Node{{
		ID: "nyc1", Roles: []landfall.Role{"edge"}, Advertised: []netip.Addr{a("192.0.2.1")}, Bound: []netip.Addr{a("10.0.0.1")},
		Endpoints: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:4500")},
	}, {ID: "new1", State: landfall.Invited}, {ID: "sin1", Roles: []landfall.Role{"edge", "dns"}}}}
	if err := (Setting{Node: "nyc1", Roles: []landfall.Role{"dns"}}).Change(m); err != nil || m.Nodes[0].Advertised[0] != a("192.0.2.1") || m.Nodes[0].Roles[0] != "dns" {
		t.Errorf("roles alone: %+v, %v", m.Nodes[0], err)
	}
	if err := (Setting{Node: "nyc1", Advertised: []netip.Addr{a("198.51.100.2"), a("2001:db8::2")}}).Change(m); err != nil {
		t.Fatal(err)
	}
	n := m.Nodes[0]
	if n.Bound != nil || len(n.Endpoints) != 2 || n.Endpoints[1].String() != "[2001:db8::2]:4500" || n.Advertised[0] != a("198.51.100.2") {
		t.Errorf("node is %+v", n)
	}
	if err := (Setting{Node: "sin1", Roles: []landfall.Role{"dns"}}).Change(m.Clone()); err == nil || !strings.Contains(err.Error(), "last edge") {
		t.Errorf("the last edge was taken: %v", err)
	}
	for _, id := range []landfall.NodeID{"new1", "none"} {
		if err := (Setting{Node: id, Roles: []landfall.Role{"dns"}}).Change(m); err == nil {
			t.Errorf("%s was changed", id)
		}
	}
}
