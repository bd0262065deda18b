package ocean

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

func TestBytesTakeHalfARoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, start := Listen(), time.Now()
		go func() {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			io.Copy(c, c)
		}()
		c, err := Dial(t.Context(), l, 140*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4)
		c.Write([]byte("ping"))
		if _, err := io.ReadFull(c, buf); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 280*time.Millisecond {
			t.Errorf("dial and echo took %v, want two round trips", took)
		}
		c.Close()
		l.Close()
		if _, err := Dial(t.Context(), l, time.Millisecond); err == nil {
			t.Error("a closed listener accepted")
		}
		time.Sleep(time.Second) // what is still under way arrives
	})
}
