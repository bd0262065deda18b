package wire

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"

	"landfall/origin/auth"
	"landfall/origin/budget"
	"landfall/origin/chat"
)

// Problem is an error as clients see it. The values of Errors are always
// lists: clients join them.
type Problem struct {
	Status  int                 `json:"-"`
	Retry   int                 `json:"-"` // when to try again, in seconds; 0: soon
	Message string              `json:"message"`
	Errors  map[string][]string `json:"errors,omitempty"`
}

// Error makes a Problem an error, so that handlers can return it.
func (p *Problem) Error() string { return p.Message }

// NewProblem is a problem with a sentence for the client.
func NewProblem(status int, message string) *Problem {
	return &Problem{Status: status, Message: message}
}

// ProblemOf is what a client is told of an error. known is false for errors
// that are ours, whose cause belongs in our log and not in the answer.
func ProblemOf(err error) (p *Problem, known bool) {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p, true
	}
	if invalid, ok := errors.AsType[chat.Invalid](err); ok {
		return &Problem{Status: http.StatusBadRequest, Message: "Validation error", Errors: invalid}, true
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return NewProblem(http.StatusRequestEntityTooLarge, "Request body is too large"), true
	}
	if spent, ok := errors.AsType[*budget.Spent](err); ok {
		return &Problem{Status: http.StatusTooManyRequests, Retry: spent.Seconds(), Message: "Too many requests: " + spent.Error()}, true
	}
	switch {
	case errors.Is(err, auth.ErrDenied):
		return NewProblem(http.StatusUnauthorized, "Unauthorized: give an API token, or an e-mail address and a password"), true
	case errors.Is(err, auth.ErrBusy):
		return NewProblem(http.StatusTooManyRequests, auth.ErrBusy.Error()), true
	case errors.Is(err, chat.ErrNotFound):
		return NewProblem(http.StatusNotFound, "Not found"), true
	case errors.Is(err, chat.ErrForbidden):
		return NewProblem(http.StatusForbidden, "Access denied"), true
	case errors.Is(err, chat.ErrArchived):
		return NewProblem(http.StatusForbidden, "Flow is archived"), true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return NewProblem(http.StatusServiceUnavailable, "Service is too slow or shutting down: try again"), true
	}
	return NewProblem(http.StatusInternalServerError, "Internal error"), false
}

// BodyProblem is what a client is told when its body could not be read.
func BodyProblem(err error) *Problem {
	if p, known := ProblemOf(err); known {
		return p
	}
	if fault, ok := errors.AsType[net.Error](err); ok && fault.Timeout() {
		return NewProblem(http.StatusRequestTimeout, "Request body did not come in time")
	}
	return NewProblem(http.StatusBadRequest, "Bad request: body could not be read")
}

// Reply writes v as the answer.
func Reply(w http.ResponseWriter, status int, v any) error {
	b, err := JSON(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client may be gone; nobody is left to tell
	return nil
}

// ReplyProblem writes p as the answer to r. Programs that lack credentials
// are challenged for them (RFC 9110, 11.6.1). Browsers are not: one would ask
// its user, and then send what it was told with every request that any page
// makes it send.
func ReplyProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	switch p.Status {
	case http.StatusUnauthorized:
		if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Sec-Fetch-Mode") == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="Flowdock API"`)
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(cmp.Or(p.Retry, 2)))
	}
	_ = Reply(w, p.Status, p) // strings always encode
}
