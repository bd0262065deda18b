package tap

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// file is the query log. Its methods do nothing on a nil file.
type file struct {
	name   string
	stdout Writer

	f       *os.File // nil: not open now, or the standard output
	b       *bufio.Writer
	looked  time.Time // when it was last looked whether the file is still there
	waiting int       // lines since the last flush
	dropped int       // lines of the flush that went wrong
}

// again is how often it is looked whether the file was moved away.
const again = time.Second

// add adds a line, which is written with the next flush at the latest.
func (l *file) add(what line) {
	if l.b == nil {
		l.b = bufio.NewWriterSize(l, 64<<10)
	}
	l.waiting++
	b, err := json.Marshal(what)
	if err == nil {
		_, _ = l.b.Write(append(b, '\n')) // flush tells of errors
	}
}

// Write writes whole lines, or a part of them that is as long as the buffer.
func (l *file) Write(b []byte) (int, error) {
	if l.name == "-" {
		return l.stdout.Write(b)
	}
	if l.f == nil {
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	return l.f.Write(b)
}

func (l *file) open() (err error) {
	l.f, err = os.OpenFile(l.name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	return err
}

// flush writes what was added, and tells how many lines that were.
func (l *file) flush(now time.Time) (written int, err error) {
	if l == nil {
		return 0, nil
	}
	if l.f != nil && now.Sub(l.looked) >= again {
		l.looked = now
		if err := l.follow(); err != nil {
			return 0, err
		}
	}
	if l.waiting == 0 {
		return 0, nil
	}
	written, l.waiting, l.dropped = l.waiting, 0, 0
	if err := l.b.Flush(); err != nil {
		l.dropped = written
		l.b.Reset(l) // with what could not be written, and the error
		return 0, errors.Join(fmt.Errorf("%s: %w", l.name, err), l.release())
	}
	return written, nil
}

// follow lets go of a file that was moved away or removed.
func (l *file) follow() error {
	ours, err := l.f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(l.name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(ours, there) {
		return l.release()
	}
	return nil
}

func (l *file) release() error {
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}

// close closes the file, which has been flushed.
func (l *file) close() error {
	if l == nil {
		return nil
	}
	return l.release()
}
