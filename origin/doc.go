// Package origin is the team chat behind one http.Handler: requests for the
// API, the streams, the WebSocket and the page go in, by host and path, and
// answers come out. It opens the storage, makes the first organization, and
// ends everything in order.
//
//	api.D     /…            REST, also under /v1        (origin/api)
//	stream.D  /flows…       streams, also /stream/flows (origin/stream)
//	any host  /ws           the WebSocket               (origin/socket)
//	other     /, /app/…     the page                    (origin/web)
//
// A single host serves all of it. The package listens nowhere and ends no
// TLS.
package origin
