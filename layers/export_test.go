package layers

import "math"

// AlwaysByTurns has rows take turns in all passes in which they can.
func (d *Decoder) AlwaysByTurns() {
	d.turns = alternation{blocks: d.turns.blocks, turns: true, since: math.MinInt, pairs: 8, ratio: -1}
}
