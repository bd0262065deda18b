package cli

import "fmt"

// Usagef is an error in the command line: it exits with ExitUsage and tells
// where the command's help is.
func Usagef(format string, args ...any) error {
	return &usageError{msg: fmt.Sprintf(format, args...)}
}

// Unreachable marks an error of talking to a node or server that did not
// answer, so that it exits with ExitUnreachable. Of nil it makes nil.
func Unreachable(err error) error {
	if err == nil {
		return nil
	}
	return &unreachableError{err}
}

type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

type unreachableError struct{ err error }

func (e *unreachableError) Error() string { return e.err.Error() }
func (e *unreachableError) Unwrap() error { return e.err }
