package admin

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"landfall"
)

// Status is what one node knows of itself.
type Status struct {
	Node    landfall.NodeID   `json:"node"`
	Region  landfall.RegionID `json:"region"`
	Roles   []landfall.Role   `json:"roles"`
	State   landfall.State    `json:"state"`
	Network string            `json:"network"`
	Version string            `json:"version"`
	Serial  landfall.Serial   `json:"serial"`            // of the map it serves by
	Started time.Time         `json:"started"`           // of the process
	Waiting []string          `json:"waiting,omitempty"` // what it still waits for; empty: it serves
	Paths   []Path            `json:"paths,omitempty"`   // to its peers
	Mesh    *Mesh             `json:"mesh,omitempty"`    // nil: it does not run
	Up      []landfall.NodeID `json:"up,omitempty"`      // edges its name server may name
	Down    []landfall.NodeID `json:"down,omitempty"`    // edges its name server sees down
	Error   string            `json:"error,omitempty"`   // why nothing else is known of it
	// Clock is when the node gave this status, by its own clock.
	Clock time.Time `json:"clock,omitzero"`
	// Certificates are those that an edge shows.
	Certificates []Certificate `json:"certificates,omitempty"`
	// DNS is how a name server fares; nil: it is none.
	DNS *NameServer `json:"dns,omitempty"`
	// Keys are those of signed zones, at the node that keeps them.
	Keys []ZoneKeys `json:"keys,omitempty"`
	// Notes are what an operator should know although the node serves.
	Notes []string `json:"notes,omitempty"`
}

// Certificate is one of the fleet's, as it is at home or at an edge.
type Certificate struct {
	Hosts  []string  `json:"hosts"`
	Issuer string    `json:"issuer,omitempty"`
	From   time.Time `json:"from,omitzero"`
	Until  time.Time `json:"until,omitzero"` // zero: there is none yet
	Serial string    `json:"serial,omitempty"`
	State  string    `json:"state,omitempty"` // at home: good, ordering, waiting, ended, missing or damaged
	Error  string    `json:"error,omitempty"` // why the last attempt to get a new one failed
	Next   time.Time `json:"next,omitzero"`   // when a new one is tried for
	// Revoking counts older ones that the authority is still to be told of.
	Revoking int `json:"revoking,omitzero"`
}

// NameServer is how a name server has fared within the last seconds. Shares
// are of queries, from 0 to 1.
type NameServer struct {
	Rate      float64         `json:"queries_per_second"`
	Cookies   float64         `json:"cookies"`         // had a cookie
	Truncated float64         `json:"truncated"`       // were told to come again by TCP
	Limited   float64         `json:"limited"`         // were held back
	Edges     []EdgeShare     `json:"edges,omitempty"` // whom answers named first, those named most first
	Serial    landfall.Serial `json:"serial"`          // of the map that answers go by
	Issued    time.Time       `json:"issued,omitzero"`
	Listens   []string        `json:"listens"` // such as udp://192.0.2.1:53
	// Refused is what is wrong with the files that zones come from, where what
	// they said before is answered; empty if nothing is, or if the map comes
	// from elsewhere.
	Refused string `json:"file_refused,omitempty"`
}

// EdgeShare is the share of the answers that name any edge in which one comes
// first.
type EdgeShare struct {
	Edge  landfall.NodeID `json:"edge"`
	Share float64         `json:"share"`
}

// Days are whole days left at a moment; negative once it is over.
func (c Certificate) Days(now time.Time) int {
	return int(math.Floor(c.Until.Sub(now).Hours() / 24))
}

// Path is how one node reaches another.
type Path struct {
	Peer     landfall.NodeID `json:"peer"`
	Endpoint string          `json:"endpoint"`      // where datagrams go, or the node that relays them
	Via      landfall.NodeID `json:"via,omitempty"` // the node that relays; empty: none does
	Why      string          `json:"why,omitempty"` // why this way was taken, if it was not always
	RTT      Milliseconds    `json:"rtt_ms"`
	Jitter   Milliseconds    `json:"jitter_ms"`
	Loss     float64         `json:"loss"`             // 0 to 1
	MTU      int             `json:"mtu,omitzero"`     // the largest UDP payload that passes
	Backup   string          `json:"backup,omitempty"` // the way that is taken if this one fails
	Doubt    string          `json:"doubt,omitempty"`  // why what is urgent goes both ways now
	Switches uint64          `json:"switches"`         // to another way
	Alive    bool            `json:"alive"`
	Ways     []Way           `json:"ways,omitempty"` // all that are known
}

// Way is one way to a peer.
type Way struct {
	Way    string       `json:"way"`   // an address, or "via" and a node
	State  string       `json:"state"` // new, alive, suspect, dead, or mute: it answers probes and carries nothing
	RTT    Milliseconds `json:"rtt_ms"`
	Jitter Milliseconds `json:"jitter_ms"`
	Loss   float64      `json:"loss"`
	MTU    int          `json:"mtu,omitzero"`
	Why    string       `json:"why"` // it is used or not
}

// Mesh is how a node stands in the mesh.
type Mesh struct {
	Addr  string `json:"addr"`                // its address there
	Front string `json:"front"`               // what streams are made of: tun or netstack
	Why   string `json:"front_why,omitempty"` // why it is not the kernel's
	// Device is the kernel's device of the mesh, if there is one. Deaf says
	// that a firewall drops what comes by it, and Broken why it cannot be put
	// right after somebody changed it; empty where it can.
	Device string `json:"device,omitempty"`
	Deaf   bool   `json:"deaf,omitempty"`
	Broken string `json:"broken,omitempty"`
	// Mended counts how often something was put back that others took from the
	// device; What that was the last time, and When.
	Mended uint64    `json:"mended,omitempty"`
	What   string    `json:"mended_what,omitempty"`
	When   time.Time `json:"mended_at,omitzero"`
	// Relayed counts the bytes of data sent on for other nodes, Probed those
	// of probes, Doubled the datagrams sent both ways, and Resent those sent
	// again, since the node started.
	Relayed uint64 `json:"relayed_bytes"`
	Probed  uint64 `json:"relayed_probe_bytes"`
	Doubled uint64 `json:"doubled"`
	Resent  uint64 `json:"resent"`
	// Allow lists what peers may reach on the server beside the mesh's own
	// services; Refused counts their packets to anything else, and
	// LastRefused says what the last was for, and from whom.
	Allow       []string `json:"allow,omitempty"`
	Refused     uint64   `json:"refused"`
	LastRefused string   `json:"last_refused,omitempty"`
}

// Milliseconds is a duration whose JSON is a number of milliseconds.
type Milliseconds time.Duration

// MarshalJSON implements json.Marshaler.
func (m Milliseconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(m)/float64(time.Millisecond), 'f', 3, 64), nil
}

// UnmarshalJSON reads a number of milliseconds.
func (m *Milliseconds) UnmarshalJSON(b []byte) error {
	ms, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("milliseconds: %w", err)
	}
	*m = Milliseconds(ms * float64(time.Millisecond))
	return nil
}

// Overview is what the asked node could learn of the whole network.
type Overview struct {
	Network string            `json:"network"`
	Domain  string            `json:"domain"`
	Serial  landfall.Serial   `json:"serial"` // the newest the asked node knows
	Home    landfall.RegionID `json:"home"`
	Nodes   []Status          `json:"nodes"`
}
