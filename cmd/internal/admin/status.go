package admin

import (
	"fmt"
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
	Up      []landfall.NodeID `json:"up,omitempty"`      // edges its name server may name
	Down    []landfall.NodeID `json:"down,omitempty"`    // edges its name server sees down
	Error   string            `json:"error,omitempty"`   // why nothing else is known of it
}

// Path is how one node reaches another.
type Path struct {
	Peer     landfall.NodeID `json:"peer"`
	Endpoint string          `json:"endpoint"`
	RTT      Milliseconds    `json:"rtt_ms"`
	Loss     float64         `json:"loss"` // 0 to 1
	Alive    bool            `json:"alive"`
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
