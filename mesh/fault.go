package mesh

import (
	"fmt"
	"syscall"
)

// fault says that the mesh does not lead to a node: it is unknown, gone or
// does not answer. Callers tell it by what it unwraps to.
type fault string

func faultf(format string, args ...any) fault { return fault(fmt.Sprintf(format, args...)) }

// Error implements error.
func (f fault) Error() string { return string(f) }

// Unwrap makes it syscall.EHOSTUNREACH for errors.Is.
func (f fault) Unwrap() error { return syscall.EHOSTUNREACH }
