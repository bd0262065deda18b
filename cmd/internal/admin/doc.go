// Package admin shows a node to its operators: plain numbers from every part
// go in; metrics, status and health come out, on a local control socket and
// on the mesh. What changes the network (drain) is offered on the local
// socket alone.
//
// It renders and carries; it decides nothing about the network.
package admin
