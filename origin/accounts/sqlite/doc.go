// Package sqlite keeps chat.Accounts in a SQLite database that store/sqlite
// has opened: organizations, users, flows, memberships, tokens, and the
// announcements on their way into the log.
//
// Its statements are SQL that PostgreSQL reads as well; only the schema is
// SQLite's own. It hashes no secret and checks no rule of the chat.
package sqlite
