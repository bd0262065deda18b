package chat

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Errors that callers branch on.
var (
	// ErrNotFound says that there is no such thing, or none that the asker
	// may know of.
	ErrNotFound = errors.New("not found")
	// ErrForbidden says that the thing is there but not for the asker to
	// read or change.
	ErrForbidden = errors.New("forbidden")
	// ErrArchived says that a flow is only to be read any more.
	ErrArchived = errors.New("flow is archived")
	// ErrTaken says that a name or address already belongs to another.
	ErrTaken = errors.New("already taken")
	// ErrFull says that an organization has as many users as it may have.
	ErrFull = errors.New("organization has reached its user limit")
)

// Invalid says what is wrong with the fields of a request, all of it at once.
type Invalid map[string][]string

// Add notes a fault of a field.
func (i Invalid) Add(field, format string, args ...any) {
	i[field] = append(i[field], fmt.Sprintf(format, args...))
}

// Err is i as an error, or nil when no fault was added.
func (i Invalid) Err() error {
	if len(i) == 0 {
		return nil
	}
	return i
}

// Error lists the faults by field.
func (i Invalid) Error() string {
	var parts []string
	for _, field := range slices.Sorted(maps.Keys(i)) {
		parts = append(parts, field+" "+strings.Join(i[field], " and "))
	}
	return "validation error: " + strings.Join(parts, "; ")
}
