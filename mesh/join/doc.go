// Package join is how a server becomes a node of a network.
//
// At home a Book takes an Invitation and gives a Token: one line for one
// operator to carry to one new server. There Join takes the token and the
// server's public keys and gives the signed map in which the server is a
// node. Between them lies one TLS connection to the Server at home:
//
//	new server                              control, at home
//	    |---- TLS 1.3, ALPN landfall-join/1 ---->|  a certificate nobody checks
//	    |---- GET /hello ----------------------->|
//	    |<--- nonce, your address, the time -----|  signed by the map key, for this channel
//	    |---- POST /join: keys, addresses ------>|  proved by the token's secret, for this channel
//	    |<--- the signed map --------------------|  invited -> active, in one change of the map
//
// The token tells the server which key signs the network's maps, so it knows
// whom it talks to; the secret in it tells the control. Both proofs cover the
// channel, so nobody in the middle can use either.
//
// Where the server is to be found, the Invitation says and home insists on,
// or else home tells the server at which address it sees it.
//
// The package makes no keys of a node, keeps none, and starts nothing on it.
// Why things are as they are: DESIGN.md.
//
// A server that joins says with its first packet how large segments may be,
// for both sides: small enough for paths that drop larger ones in silence, and
// smaller still at a second try.
package join
