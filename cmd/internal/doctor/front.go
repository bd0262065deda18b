package doctor

import (
	"context"
	"time"

	"landfall/cmd/internal/admin"
)

// mendedLately is for how long it is told that somebody changed the mesh's
// device.
const mendedLately = time.Hour

// front judges what streams of the mesh are made of.
func (p *patient) front(ctx context.Context, n *notes) {
	if p.Front == nil {
		return
	}
	if f := p.Front(ctx); f != nil {
		judgeStreams(n, f, p.Now())
	}
}

func judgeStreams(n *notes, f *admin.Mesh, now time.Time) {
	switch {
	case f.Broken != "":
		n.fail("journalctl -u landfall -g "+f.Device, "somebody took from the device %s what the mesh needs, and it cannot be put back: %s", f.Device, f.Broken)
	case f.Deaf:
		n.fail("ufw allow in on "+f.Device, "a firewall drops what comes by %s", f.Device)
	case f.Device != "":
		n.ok("%s, %s, %s", f.Device, f.Addr, f.Front)
	default:
		n.ok("%s, %s", f.Addr, f.Front)
	}
	if f.Mended > 0 && now.Sub(f.When) < mendedLately {
		n.warn("journalctl -u landfall -g "+f.Device, "somebody changed the device %s, %v ago: what they took was put back (%s)", f.Device, now.Sub(f.When).Round(time.Second), f.What)
	}
}
