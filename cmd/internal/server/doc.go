// Package server is one node as a process of its own: founding a network,
// joining one, and serving from a state directory.
//
// A directory goes in; what comes out is a node.Node that serves by the map
// it keeps there, with the sockets that its entry in the map asks for. How
// the parts of a node hang together is package node's; what operators type is
// package cli's.
//
//	DIR/node.toml       who this server is (config.Local); written last
//	DIR/node.key        WireGuard key            DIR/sealing.key
//	DIR/maps/           the last good maps       DIR/certs/
//	DIR/control/        at home: signing key, all maps, invitations
//	DIR/authority/      at home: the network's own authority
//	DIR/chat/           at home: the chat's data
package server
