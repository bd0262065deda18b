package forward

import (
	"context"
	"errors"
	"net/http"
	"syscall"
)

// Fault is who is to blame for a request that was not answered in full.
type Fault string

// The four who can be at fault.
const (
	Client Fault = "client" // went away, or broke off its own request
	Mesh   Fault = "mesh"   // the target could not be reached, or no longer
	Origin Fault = "origin" // did not answer, or broke off its answer
	Ours   Fault = "ours"   // this node stopped, or has a bug
)

// failure is one fault with its two faces: say is for the client, err for us.
type failure struct {
	fault  Fault
	status int    // 0: nobody is there to be answered
	say    string // one sentence
	unsent bool   // the origin has seen nothing of it: the client may try again
	err    error
}

// judge finds out whose fault it is that no answer came.
func judge(ctx context.Context, err, upload error, dial Fault) failure {
	f := failure{err: err}
	_, unsent := errors.AsType[*dialError](err)
	switch {
	case context.Cause(ctx) == ErrStopping:
		f.fault, f.status, f.say = Ours, http.StatusServiceUnavailable, "This edge is stopping."
	case ctx.Err() != nil:
		f.fault = Client
	case upload != nil && timedOut(upload):
		f.fault, f.status, f.say, f.err = Client, http.StatusRequestTimeout, "The request came too slowly.", upload
	case upload != nil:
		f.fault, f.status, f.say, f.err = Client, http.StatusBadRequest, "The request broke off.", upload
	case unsent && timedOut(err):
		f.fault, f.status, f.say, f.unsent = dial, http.StatusGatewayTimeout, "The origin could not be reached in time.", true
	case unsent:
		f.fault, f.status, f.say, f.unsent = dial, http.StatusServiceUnavailable, "The origin cannot be reached.", true
	case lostPath(err):
		f.fault, f.status, f.say = Mesh, http.StatusBadGateway, "The way to the origin was lost."
	case timedOut(err):
		f.fault, f.status, f.say = Origin, http.StatusGatewayTimeout, "The origin did not answer in time."
	default:
		f.fault, f.status, f.say = Origin, http.StatusBadGateway, "The origin broke off before it answered."
	}
	return f
}

// judgeBroken finds out whose fault it is that an answer stopped in its
// middle; download is how reading it ended, nil if that went well.
func judgeBroken(ctx context.Context, download error) failure {
	switch {
	case context.Cause(ctx) == ErrStopping:
		return failure{fault: Ours, err: ErrStopping}
	case ctx.Err() != nil || download == nil:
		return failure{fault: Client, err: errors.New("the client went away")}
	case timedOut(download) || lostPath(download):
		return failure{fault: Mesh, err: download}
	default:
		return failure{fault: Origin, err: download}
	}
}

// lostPath tells a broken network from a peer that hung up.
func lostPath(err error) bool {
	return errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.ETIMEDOUT)
}
