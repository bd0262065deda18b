package fleet

import (
	"context"
	"os"
	"testing"
	"time"

	"landfall/cmd/lab"
)

func TestX(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pebble, err := lab.PebbleBinary(ctx, "../../../bench")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	f, err := Open(ctx, Config{Dir: os.Getenv("LFDIR"), Bin: "/tmp/lfx", Pebble: pebble})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	t.Log("open", time.Since(start))
	if err := f.Found(ctx); err != nil {
		t.Fatal(err)
	}
	t.Log("found", time.Since(start))
	out, err := f.Apply(ctx, "[[service]]\nhost = \"app.edge.example.com\"\nupstream = \"http://127.0.0.1:3000\"\n")
	t.Log(out, err, time.Since(start))
	for _, s := range Joiners() {
		if err := f.Join(ctx, s); err != nil {
			t.Error(err)
		}
		t.Log(s.Node, time.Since(start))
	}
	t.Log(f.Delegate(ctx))
	for _, u := range Users() {
		out, err := f.Host(u).Run(ctx, "dig", "app.edge.example.com", "+noall", "+answer")
		t.Log(out, err)
	}
	<-time.After(3 * time.Second)
	out, err = f.Type(ctx, Home, "status")
	t.Log(out, err, time.Since(start))
	out, err = f.Type(ctx, Home, "certs", "list")
	t.Log(out, err, time.Since(start))
}
