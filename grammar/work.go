package grammar

import (
	"context"
	"errors"
	"fmt"

	"github.com/lever-go/lever/internal/giveway"
)

// ErrTooLarge is wrapped by errors about a schema that would take too much work or memory: [Vocabulary.JSONSchema] returns it for most of
// them, and [Matcher.Err] for those of which it shows only in the middle of a text.
var ErrTooLarge = errors.New("schema is too large")

// work bounds what one call does, in steps of some nanoseconds each: a number that is the same on all machines.
type work struct {
	ctx   context.Context
	steps int // so far
	limit int
	asks  int   // the number of steps after which the context is asked, and others go first
	asked int   // the steps at which that is due
	err   error // why the work must end
}

const (
	// compileSteps bound a compile: to 200 ms on a core on which a step takes 5 to 30 ns, by what the schema is, as measured on one of 2023.
	compileSteps = 6 << 20
	compileAsks  = 1 << 12
	// matchAsks is more, as an answer waits for the matcher, and others for the answer.
	matchAsks = 1 << 14
)

// matchSteps bound a question to a matcher: for a vocabulary of 128,000 tokens to less than 4 ms, which is enough to walk over a third of them.
func (v *Vocabulary) matchSteps() int { return max(1<<16, len(v.trie)/3+1<<14) }

// lateSteps bound one in the middle of a text, where an end would lose what there is, to 5 ms.
func (v *Vocabulary) lateSteps() int { return v.matchSteps() * 5 / 4 }

// newWork returns the work of a compile.
func newWork(ctx context.Context, limit int) *work {
	return &work{ctx: ctx, limit: limit, asks: compileAsks}
}

// newMatch returns the work of a matcher, which begins anew for each question.
func newMatch(ctx context.Context, limit int) *work {
	return &work{ctx: ctx, limit: limit, asks: matchAsks}
}

// begin begins anew, but for the steps after which others go first.
func (w *work) begin() {
	due := w.asked - w.steps
	w.steps = 0
	w.check()
	w.asked = min(max(due, 1), w.limit+1)
}

// do counts n steps, and reports whether the work may go on.
func (w *work) do(n int) bool {
	if w.steps += n; w.steps >= w.asked {
		w.ask()
	}
	return w.err == nil
}

// ask asks whether the work may go on, after others, for whom it is to keep no core busy.
func (w *work) ask() {
	if w.err != nil {
		return
	}
	giveway.Now(w.ctx)
	w.check()
	w.asked = min(w.steps+w.asks, w.limit+1)
}

// check ends the work where it must end.
func (w *work) check() {
	switch {
	case w.err != nil:
	case w.ctx.Err() != nil:
		w.err = fmt.Errorf("grammar: %w", w.ctx.Err())
	case w.steps > w.limit:
		w.err = fmt.Errorf("grammar: %w", ErrTooLarge)
	}
}

// What takes more than one step: so many that a step takes about as long everywhere.
const (
	reachSteps     = 6     // a frame is added to a state
	pushSteps      = 16    // a new stack
	stateSteps     = 48    // a new state, or what follows it
	byteSteps      = 1     // a byte of a schema is read
	escapeSteps    = 64    // a string with escapes is read
	valueSteps     = 16    // a value of a schema is read, referred to or written
	referenceSteps = 320   // a reference is followed
	shapeSteps     = 96    // what satisfies some schemas
	memberSteps    = 32    // a property's name
	numberSteps    = 10240 // a range of numbers
	patternSteps   = 32    // a byte of a pattern is read
	nodeSteps      = 8     // a node of a graph, or an instruction of a pattern
	textBytes      = 8     // of a text that is kept, for one step
	edgesStep      = 4     // edges are looked at in one step
	openBranches   = 32    // of the trie are passed in one step, where all tokens below can follow
	classesSteps   = 3     // for two branches of the trie, when the classes of a set are made
	edgeSteps      = 1     // a byte's way in a tree is looked for
	nameSteps      = 32    // a text of a chain
	prefixSteps    = 4     // a prefix in a tree of names
	linkSteps      = 3     // a way from one node to another
	mergedSteps    = 8     // a node that is one of several for which another one stands
	equalSteps     = 16    // a node is compared with all others
	pointSteps     = 96    // a place in a pattern after some characters
	waySteps       = 3     // a way from there
	takerSteps     = 32    // and one that takes a character
	rowSteps       = 384   // a row of how the characters of a set are spelled
	spanSteps      = 16    // a span of them
	knownSteps     = 64    // what is known at a node of tokens
	runSteps       = 2     // a node after some characters of a class
)
