// Package chat holds the nouns and the rules of the team chat: organizations,
// users, flows and the events of a flow, and the interfaces through which the
// rest of the origin keeps them (Log, Accounts, Bus).
//
// What a user typed goes in (Draft) and a numbered Event comes out (Compose);
// events and later changes go in and the messages of today come out (Fold). The rules are pure: tags, mentions, identifiers,
// cursors and visibility take values and return values. The package keeps no
// state, opens nothing and speaks no protocol; DESIGN.md beside it says who
// owns what.
package chat
