package gaincost

import "github.com/lever-go/lever/spec"

// others are the texts that share passes with one.
type others struct {
	texts float64 // of the latest pass, this one included
	share float64 // of them, in a draft forward of late
	rows  float64 // of a pass of late, this one's not included
	price float64 // seconds that a row more added to a pass of late
}

// alone is a text that shares no passes. Those it will share them with are taken to draft whenever it does.
var alone = others{texts: 1, share: 1}

// observe takes in a pass of which so many rows are this text's. Each text gives way to the rows of the others: a change counts the less the more texts
// there are, lest all of them take at once what was left free, and give it up at once.
func (t *others) observe(o *spec.Observation, own int) {
	if o.Target.Forwards == 0 {
		return
	}
	passes := float64(o.Target.Forwards)
	t.texts = float64(o.Target.Texts) / passes
	t.rows += (float64(o.Target.Rows)/passes - float64(own) - t.rows) / t.texts
	if o.Draft.Forwards > 0 {
		share := float64(o.Draft.Texts) / float64(o.Draft.Forwards) / t.texts
		t.share += (share - t.share) / t.texts
	}
}

// observePrice takes in what a row more would have added to a pass.
func (t *others) observePrice(seconds float64) {
	const weight = 0.15
	t.price += weight * (seconds - t.price)
}

// expectedRows returns the rows of others that the next pass is expected to have.
func (t *others) expectedRows() int { return int(t.rows + 0.5) }

// drafting returns the texts of a draft forward.
func (t *others) drafting() float64 { return max(1, t.share*t.texts) }

// othersIn returns the rows of other texts in an observed pass that has so many of this one.
func othersIn(o *spec.Observation, own int) int { return max(0, o.Target.Rows-own) }
