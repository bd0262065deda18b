package join

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what a server that did not join can do about it.
type Kind uint8

// The kinds.
const (
	Refused     Kind = iota // the control, or this server, says no; the Code says why
	Unreachable             // no control answered, or not to the end
	BadToken                // the text is no token
)

// Code is the reason of a refusal, as programs tell reasons apart.
type Code string

// The codes.
const (
	CodeUnknown Code = "unknown" // no such invitation, or another secret: home does not say which
	CodeUsed    Code = "used"    // another server has joined with this token
	CodeExpired Code = "expired" // the token's time is over
	CodeGone    Code = "gone"    // the node was removed since it was invited
	CodeNetwork Code = "network" // the token is for another network
	CodeClock   Code = "clock"   // the two clocks are too far apart
	CodeFaulty  Code = "faulty"  // the map would have faults: an address or key that another node has
	CodeAddress Code = "address" // users could not reach this server at its addresses, or it may not have them
	CodeRequest Code = "request" // not a request of this protocol
	CodeTrouble Code = "trouble" // home has a fault of its own; its log says which
)

// Failure is why a server did not join, in words for its operator.
type Failure struct {
	Kind Kind
	Code Code // of a refusal; empty otherwise
	Err  error
}

// Error says what, why and what to do.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

func fail(k Kind, c Code, format string, args ...any) error {
	return &Failure{k, c, fmt.Errorf(format, args...)}
}

// foremost is the failure that says most of several attempts: a refusal
// before silence, and all silences together.
func foremost(failed []error) error {
	var said []string
	for _, err := range failed {
		if f, ok := errors.AsType[*Failure](err); ok && f.Kind == Refused {
			return err
		}
		said = append(said, err.Error())
	}
	return fail(Unreachable, "", "no control answers: %s: see that `landfall run` is up at home and that a firewall lets its port through; nothing was changed", strings.Join(said, "; "))
}
