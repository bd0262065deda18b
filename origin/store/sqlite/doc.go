// Package sqlite opens SQLite databases and keeps the Log in one. The path of
// a file goes in; a DB with one connection to write and some to read comes
// out, and over it a chat.Log.
//
// Every commit is on the disk when it returns (write-ahead log with
// synchronous=FULL); appends that wait for each other share one. The package
// is the only one that imports a SQLite driver. It does not know accounts.
package sqlite
