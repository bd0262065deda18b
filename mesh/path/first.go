package path

// atFirst says why a way is the first to be used, or replaces one that never
// answered.
func (p *peer) atFirst(best *candidate) string {
	if !best.way.Relayed() {
		return "it answers"
	}
	for _, c := range p.ways {
		if !c.way.Relayed() && c.answers() {
			return "it answers"
		}
	}
	return "no direct way answers"
}
