// Package handover lets a process take the place of another while both live,
// so that nobody who asks them notices. The sockets of the old one go in, and
// come out in the new one as the very same: what waits in them waits on.
//
//	old                               new
//	 | <---------- connects ----------- |
//	 | -- sockets, what to know ------> |  opens what it needs
//	 | <----------- ready ------------- |  both answer
//	 |  no longer reads, answers what   |
//	 |  it has read                     |
//	 | ----------- yours -------------> |  opens the rest
//	 | <---------- thanks ------------- |
//	ends
//
// Until it hears "thanks" the old one goes on, or takes up again, where the new
// one fails, says why it cannot, or is silent for too long. The new one goes on
// where the old one vanishes. Either may be killed at any moment: one of them
// serves.
//
// The package moves sockets and starts processes. What they serve, and what
// stops when, it leaves to whoever uses it.
package handover
