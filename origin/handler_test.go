package origin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestRequestsThatTakeTooLongAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		stuck := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			cause = context.Cause(r.Context())
		})
		start := time.Now()
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		new(Server).brief(stuck, httptest.NewRecorder(), r)
		if !errors.Is(cause, context.DeadlineExceeded) || time.Since(start) != patience {
			t.Errorf("given up after %v: %v", time.Since(start), cause)
		}
	})
}
