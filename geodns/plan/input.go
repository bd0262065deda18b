package plan

import (
	"landfall"
	"landfall/geodns/locate"
	"landfall/geodns/measure"
	"landfall/geodns/resolver"
	"landfall/geodns/traffic"
)

// Input is all that answers depend on. Only Map is needed.
type Input struct {
	Map       *landfall.Map
	Atlas     *locate.Table            // where addresses are; nil knows nothing
	Down      map[landfall.NodeID]bool // edges that are down
	Measured  *measure.View            // what edges measured; nil is nothing
	Resolvers *resolver.View           // who stands behind resolvers; nil is nothing
	Weights   *traffic.View            // how many queries come from where; nil: none were counted, and clients are as addresses are spread
	Demand    float64                  // requests a second that all clients make; 0 is unknown, and no ceiling counts
	Epoch     uint64                   // which draw of edges at one place is in force, see steer.SpreadEpochs
}

// State is the part of Input that changes often.
type State struct {
	Down   map[landfall.NodeID]bool
	Demand float64
}

// Compile makes the Plan of an Input.
func Compile(in Input) *Plan {
	return Prepare(in).Compile(State{Down: in.Down, Demand: in.Demand})
}
