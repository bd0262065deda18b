package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// network keeps messages apart (unix(7)).
const network = "unixpacket"

// maxMessage bounds a message.
const maxMessage = 64 << 10

// message is what one process tells the other; each is one of these.
type message struct {
	Socket string          `json:"socket,omitempty"` // its name; the socket comes with the message
	Given  *int            `json:"given,omitempty"`  // how many sockets have been given, which are all
	Know   json.RawMessage `json:"know,omitempty"`   // what the new one is to know, with Given
	Ready  bool            `json:"ready,omitempty"`  // the new one answers
	Failed string          `json:"failed,omitempty"` // why the new one cannot
	No     string          `json:"no,omitempty"`     // why the old one stays
	Yours  bool            `json:"yours,omitempty"`  // the old one has ceased
	Thanks bool            `json:"thanks,omitempty"` // the new one goes on by itself
}

// link is a connection between two processes.
type link struct{ *net.UnixConn }

// say sends a message, with a socket if it tells of one.
func (l link) say(m message, file *os.File) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if file == nil {
		_, err = l.Write(b)
		return err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { _, _, sent = l.WriteMsgUnix(b, unix.UnixRights(int(fd)), nil) }); err != nil {
		return err
	}
	return sent
}

// hear reads a message; fd is the descriptor that came with it, -1 if none did.
func (l link) hear() (m message, fd int, err error) {
	b, rights := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4))
	n, rn, flags, _, err := l.ReadMsgUnix(b, rights)
	if err != nil {
		return m, -1, err
	}
	fd, err = descriptor(rights[:rn])
	switch {
	case err != nil:
	case n == 0:
		err = io.EOF
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		err = errors.New("a message that is too long")
	default:
		err = json.Unmarshal(b[:n], &m)
	}
	if err == nil && (m.Socket != "") != (fd >= 0) {
		err = errors.New("a socket without its name, or a name without its socket")
	}
	if err != nil && fd >= 0 {
		unix.Close(fd)
		fd = -1
	}
	return m, fd, err
}

// descriptor is the one that came with a message.
func descriptor(rights []byte) (int, error) {
	if len(rights) == 0 {
		return -1, nil
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return -1, err
	}
	var all []int
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return -1, err
		}
		all = append(all, fds...)
	}
	if len(all) != 1 {
		for _, fd := range all {
			unix.Close(fd)
		}
		return -1, fmt.Errorf("%d sockets in one message", len(all))
	}
	return all[0], nil
}

// bound has the link fail when ctx ends or so much time has passed. It is
// called before each wait for the other process; undo ends it.
func (l link) bound(ctx context.Context, patience time.Duration) (undo func()) {
	_ = l.SetDeadline(time.Now().Add(patience)) // fails only where reading does, too
	stop := context.AfterFunc(ctx, func() { _ = l.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}
