// Package web is the chat for people with a browser: a request goes in, and
// one HTML document comes out that needs no other to be loaded, with the
// newest messages of a flow in it; what comes later arrives on the WebSocket.
// It signs people in and out, and keeps nothing itself.
package web
