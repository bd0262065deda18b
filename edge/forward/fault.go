package forward

import (
	"context"
	"errors"
	"net/http"
	"syscall"

	"landfall"
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
	cure   string // what the operator may do; may be empty
	err    error
}

// judge finds out whose fault it is that no answer came; between is whose it
// is when the target could not be reached, and host was asked for.
func judge(ctx context.Context, err error, up *upload, between Fault, host string) failure {
	if context.Cause(ctx) == ErrStopping {
		return failure{fault: Ours, status: http.StatusServiceUnavailable, say: "This edge is stopping.", err: err}
	}
	if _, unsent := errors.AsType[*dialError](err); unsent && ctx.Err() == nil {
		return judgeDial(err, between, host)
	}
	// A body that breaks off ends the request's context, perhaps before upload
	// has heard of it.
	if broken := up.failure(ctx.Err() != nil); broken != nil {
		return judgeUpload(broken)
	}
	f, origin := failure{err: err}, "The origin"
	if between == Origin {
		origin = behind(host)
	}
	foreign, garbled := errors.AsType[*foreignError](err)
	switch {
	case ctx.Err() != nil:
		f.fault = Client
	case garbled:
		f.fault, f.status, f.say, f.cure = Origin, http.StatusBadGateway, origin+" does not answer in HTTP.", foreign.cure
	case lostPath(err):
		f.fault, f.status, f.say = between, http.StatusBadGateway, "The way there was lost before the answer came."
	case timedOut(err):
		f.fault, f.status, f.say = Origin, http.StatusGatewayTimeout, origin+" did not answer in time."
	default:
		f.fault, f.status, f.say = Origin, http.StatusBadGateway, origin+" broke off before it answered."
	}
	return f
}

// judgeDial is about requests that were never sent. Between an edge and home
// that is a dark region, which comes back; at home it is an application that
// is down.
func judgeDial(err error, between Fault, host string) failure {
	f := failure{fault: between, status: http.StatusServiceUnavailable, say: "This edge is up, but the home region cannot be reached from it just now. Please try again in a moment.", unsent: true, err: err}
	if timedOut(err) {
		f.status, f.say = http.StatusGatewayTimeout, "This edge is up, but the home region could not be reached from it in time. Please try again in a moment."
	}
	if between != Origin {
		return f
	}
	if errors.Is(err, errFull) {
		f.fault, f.say, f.cure = Ours, "There is no room for more requests to the application behind "+landfall.CanonicalHost(host)+" just now.", "see what keeps its requests under way, or let this server open more files (LimitNOFILE)"
		return f
	}
	f.status, f.say, f.cure = http.StatusBadGateway, behind(host)+" cannot be reached just now.", "start the application, or correct the service's upstream"
	if foreign, ok := errors.AsType[*foreignError](err); ok {
		f.say, f.cure = behind(host)+" does not answer in TLS that can be trusted.", foreign.cure
	}
	return f
}

// behind names what failed to whoever knows it by its host.
func behind(host string) string { return "The application behind " + landfall.CanonicalHost(host) }

func judgeUpload(err error) failure {
	f := failure{fault: Client, status: http.StatusBadRequest, say: "The request broke off.", err: err}
	if timedOut(err) {
		f.status, f.say = http.StatusRequestTimeout, "The request came too slowly."
	}
	return f
}

// judgeBroken finds out whose fault it is that an answer stopped in its
// middle; download is how reading it ended, nil if that went well.
func judgeBroken(ctx context.Context, download error, between Fault) failure {
	switch {
	case context.Cause(ctx) == ErrStopping:
		return failure{fault: Ours, err: ErrStopping}
	case ctx.Err() != nil || download == nil:
		return failure{fault: Client, err: errors.New("the client went away")}
	case timedOut(download) || lostPath(download):
		return failure{fault: between, err: download}
	default:
		return failure{fault: Origin, err: download}
	}
}

// lostPath tells a broken network from a peer that hung up.
func lostPath(err error) bool {
	return errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.ETIMEDOUT)
}
