package distill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/lever-go/lever/internal/plural"
	gg "gorgonia.org/gorgonia"
)

// lesson is what a predictor has learned.
type lesson struct{ down, up, other, blend []float32 }

const (
	choiceBatch  = 128
	leastChoices = 16  // held out; fewer tell nothing
	noCandidate  = -50 // log â of those that a choice has too few of
	// Draft and predictor overlap: where training on choices starts, their weights are these.
	draftAtFirst, ownAtFirst, otherAtFirst = 0.95, 0.6, -0.5
)

// chooser is the training of the predictor of one exit on what the target picked from a draft's candidates, beside the draft's own estimate: on what
// it is used for.
type chooser struct {
	head        *head
	exit        int // index in the samples' exits
	eps         float32
	seed        uint64
	train, held []choice
	learn, test *chooseNetwork
}

// newChooser starts from a predictor that was distilled.
func newChooser(choices []choice, head *head, exit, rank int, distilled [][]float32, eps float32, seed uint64) (*chooser, error) {
	c := &chooser{head: head, exit: exit, eps: eps, seed: seed}
	for _, one := range choices {
		if one.sequence%heldOut == heldOut-1 {
			c.held = append(c.held, one)
		} else {
			c.train = append(c.train, one)
		}
	}
	if min(len(c.train), len(c.held)) < leastChoices {
		return nil, fmt.Errorf("%s to train on and %d held out: at least %d of each are needed, from more prompts", plural.Of(len(c.train), "choice"), len(c.held), leastChoices)
	}
	var err error
	if c.learn, err = newChooseNetwork(choiceBatch, len(head.gain), rank, true); err != nil {
		return nil, err
	}
	if c.test, err = newChooseNetwork(choiceBatch, len(head.gain), rank, false); err != nil {
		return nil, errors.Join(err, c.learn.close())
	}
	copy(c.learn.down, distilled[0])
	for i, x := range distilled[1] {
		c.learn.up[i] = ownAtFirst * x
	}
	copy(c.learn.blend, []float32{draftAtFirst, otherAtFirst})
	return c, nil
}

func (c *chooser) close() error { return errors.Join(c.learn.close(), c.test.close()) }

func (c *chooser) parameters() [][]float32 {
	return [][]float32{c.learn.down, c.learn.up, c.learn.other, c.learn.blend}
}

// lesson returns what was learned; it shares memory with the network.
func (c *chooser) lesson() lesson {
	p := c.parameters()
	return lesson{p[0], p[1], p[2], p[3]}
}

// fill puts as many choices as a network takes into its inputs, from the given one on, in the order given, and the first again after the last.
func (c *chooser) fill(n *chooseNetwork, choices []choice, order []int, from int) {
	hidden, head, priors, picked := n.hidden, n.head, n.priors, n.picked
	clear(head)
	clear(picked)
	for i := range n.batch {
		one := &choices[order[(from+i)%len(order)]]
		normalise(hidden[i*n.width:(i+1)*n.width], one.hidden, c.eps)
		row := func(k int) int { return i*mostOptions + k }
		for k := range mostCandidates {
			priors[2*row(k)] = noCandidate
			if k < len(one.tokens) {
				priors[2*row(k)] = one.priors[k]
				c.head.row(head[row(k)*n.width:(row(k)+1)*n.width], int(one.tokens[k]))
			}
		}
		priors[2*row(mostCandidates)], priors[2*row(mostCandidates)+1] = one.priors[len(one.tokens)], 1
		at := one.picked
		if at == len(one.tokens) {
			at = mostCandidates
		}
		picked[row(at)] = 1
	}
}

// epoch trains on every choice once, in an order that depends on seed, exit and epoch alone.
func (c *chooser) epoch(ctx context.Context, number int, solver gg.Solver, progress func(done, total int)) error {
	order := rand.New(rand.NewPCG(c.seed, uint64(c.exit)<<32|1<<31|uint64(number))).Perm(len(c.train))
	batches := (len(order) + choiceBatch - 1) / choiceBatch
	for b := range batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.fill(c.learn, c.train, order, b*choiceBatch)
		if _, err := c.learn.run(solver); err != nil {
			return err
		}
		progress(b+1, batches)
	}
	return nil
}

// evaluate returns how well predictor and draft together tell what is picked of the choices that were held out.
func (c *chooser) evaluate(ctx context.Context) (o outcome, err error) {
	for i, p := range [][]float32{c.test.down, c.test.up, c.test.other, c.test.blend} {
		copy(p, c.parameters()[i])
	}
	order := make([]int, len(c.held))
	for i := range order {
		order[i] = i
	}
	batches := (len(order) + choiceBatch - 1) / choiceBatch
	for b := range batches {
		if err := ctx.Err(); err != nil {
			return o, err
		}
		c.fill(c.test, c.held, order, b*choiceBatch)
		loss, err := c.test.run(nil)
		if err != nil {
			return o, err
		}
		agreement, err := c.test.agreement(c.test.picked)
		if err != nil {
			return o, err
		}
		o.Loss += loss / float64(batches)
		o.Agreement += agreement / float64(batches)
	}
	return o, nil
}
