package keyring

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Of two that look after one directory, one has keys change; the other says so,
// goes by what the first does, and takes over when that ends.
func TestOneKeeperChangesKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, s, blind := Dir(t.TempDir()), &servers{}, &servers{}
		if _, err := dir.Begin(apex, policy, time.Now()); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		stop := run(t, keeper(t, dir, s, nil))
		synctest.Wait()
		second := keeper(t, dir, blind, slog.New(slog.NewTextHandler(&log, nil)))
		stopSecond := run(t, second)
		for range 40 * 24 {
			time.Sleep(hour)
			synctest.Wait()
		}
		if n := strings.Count(log.String(), "another process looks after"); n != 1 || strings.Contains(log.String(), "move on") {
			t.Errorf("the log of the second says %s", log.String())
		}
		if len(blind.have) != 1 || !same(blind.have[0], s.have[0]) {
			t.Error("the second has other keys than the first")
		}
		stop()
		for range 40 * 24 {
			time.Sleep(hour)
			synctest.Wait()
		}
		stopSecond()
		if !strings.Contains(log.String(), "move on") {
			t.Error("nobody looks after the keys any more")
		}
	})
}
