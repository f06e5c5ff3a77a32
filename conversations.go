package lever

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/layers/joint"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/earlyexit"
)

// MaxParallel is the largest number of generations that an [Engine] does at once.
const MaxParallel = 64

// conversation is a text that the engine keeps, with what one generation at a time needs to continue it.
type conversation struct {
	target, draft *layers.Sequence  // draft is nil without a draft model
	policy        spec.Policy       // of requests that name none; nil without a draft and remembered answers
	exit          *earlyexit.Pruner // prunes trees; nil where nothing does
	busy          bool
	intake        *intake // of the latest generation; nil before the first one
	used          int     // number of that
}

// drafts reports whether the draft has yet to take in a prompt of n tokens: it does after the first token, if it has room for both.
func (c *conversation) drafts(n int) bool {
	return c.draft != nil && c.draft.Len() < n-1 && n < c.draft.Context()
}

// intake is the prompt of a generation, and how many of its tokens a conversation holds: all once the first token after it is there, or the generation has ended.
type intake struct {
	prompt []int32
	done   atomic.Int64
}

// saves reports whether a generation with a prompt, of which so many tokens are held, should wait for more of an intake: for at least half of what is not held,
// and that is half of the intake.
func (i *intake) saves(prompt []int32, held int) bool {
	held = max(held, int(i.done.Load()))
	n := min(common(i.prompt, prompt), len(i.prompt)-1)
	return 2*n >= len(i.prompt) && n-held >= max(worthCopying, (len(prompt)-held)/2)
}

// Awaits reports whether [Engine.Generate] lets a prompt of which no conversation holds anything wait while another one, which begins alike and of which so many
// tokens are held, is being taken in. Who gives turns to generations can have it wait before it gets one.
func Awaits(prompt, other []int32, held int) bool {
	return (&intake{prompt: other}).saves(prompt, held)
}

// conversations are those that an engine keeps: as many as generations may be under way.
type conversations struct {
	most      int
	newPolicy func(e *Engine) (spec.Policy, error) // as configured
	group     *joint.Group                         // shares their passes; nil if there is one conversation alone
	// The models in the group; the draft is nil where there is none.
	target, draft *joint.Model

	mu   sync.Mutex
	all  []*conversation // those of which there was need, the first from the start
	used int             // generations so far

	news news
}

// news tells those who wait that more of a prompt is taken in, or that a generation has ended.
type news struct {
	mu   sync.Mutex
	next chan struct{} // is closed by the next ones; nil while nobody waits
}

func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}

// openConversations makes the first conversation, and what more of them share.
func (e *Engine) openConversations(cfg Config) error {
	c := &e.conversations
	c.newPolicy = cfg.NewPolicy
	if c.most = max(cfg.Parallel, 1); c.most > 1 {
		c.group = joint.NewGroup()
		if e.draft != nil {
			c.draft = c.group.Add(e.draft.decoder, e.draft.shared())
		}
		c.target = c.group.Add(e.target.decoder, e.target.shared())
		for _, m := range e.models() { // whose layers may not be made for several
			s, err := m.decoder.NewSequence()
			if err != nil {
				return fmt.Errorf("lever: %d generations at once: %w", c.most, err)
			}
			s.Close()
		}
	}
	first := &conversation{target: e.target.decoder.Sequence}
	if e.draft != nil {
		first.draft = e.draft.decoder.Sequence
	}
	c.all = []*conversation{first}
	why, err := e.equip(first)
	e.noPruning = why
	return err
}

// equip gives a conversation a policy and a pruner of its own, or says why it has none.
func (e *Engine) equip(c *conversation) (noPruning string, err error) {
	if c.exit, noPruning, err = e.newExit(); err != nil {
		return "", fmt.Errorf("lever: target: %w", err)
	}
	c.policy, err = e.newPolicy()
	return noPruning, err
}

// Parallel returns how many generations the engine does at once.
func (e *Engine) Parallel() int { return e.conversations.most }

// CacheMemory returns the bytes that keys and values of all conversations take now, and the most that they may take, when every one of
// [Config].Parallel conversations fills the context. It may be called during a generation, and waits for a pass that is under way.
func (e *Engine) CacheMemory() (now, most int64) {
	_ = e.conversations.between(func() error {
		for _, m := range e.models() {
			now += m.decoder.Memory()
			most += int64(e.conversations.most) * m.decoder.MaxMemory()
		}
		return nil
	})
	return now, most
}

// latest returns the conversation that was used last.
func (c *conversations) latest() *conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest()
}

func (c *conversations) newest() *conversation {
	last := c.all[0]
	for _, other := range c.all {
		if other.used > last.used {
			last = other
		}
	}
	return last
}

// forgetIdle empties the conversations that no generation has, but for the latest one.
func (c *conversations) forgetIdle() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.newest()
	return c.between(func() (err error) {
		for _, other := range c.all {
			if other.busy || other == last {
				continue
			}
			err = errors.Join(err, other.target.Truncate(0))
			if other.draft != nil {
				err = errors.Join(err, other.draft.Truncate(0))
			}
		}
		return err
	})
}

// take returns a conversation for a prompt: the idle one that holds most of it. Where taking that would give up more than a fifth of it, or another
// generation has it, the part in common is copied to the one that was not used for longest. There is one that is idle, as no more generations
// are under way than there are conversations. If reuse is true and another generation takes in a prompt that begins with most of this one, take
// waits for that part as long as that saves half of what is left to compute.
func (e *Engine) take(ctx context.Context, prompt []int32, reuse bool) (*conversation, error) {
	c := &e.conversations
	var awaited *intake
	for {
		more := c.news.wait()
		if awaited == nil || !awaited.saves(prompt, 0) { // without the lock, for which progress would have all wait
			var taken *conversation
			var err error
			if taken, awaited, err = e.takeNow(prompt, reuse); awaited == nil {
				return taken, err
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, fmt.Errorf("lever: generate: %w", ctx.Err())
		}
	}
}

// takeNow is take without waiting. Where waiting is better, it returns for what.
func (e *Engine) takeNow(prompt []int32, reuse bool) (taken *conversation, awaited *intake, err error) {
	c := &e.conversations
	c.mu.Lock()
	defer c.mu.Unlock()
	err = c.between(func() (err error) {
		if reuse {
			awaited = e.soonHeld(prompt)
		}
		if awaited == nil {
			taken, err = e.choose(prompt)
		}
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("lever: another conversation: %w", err)
	}
	if taken != nil {
		c.used++
		taken.busy, taken.used, taken.intake = true, c.used, &intake{prompt: prompt}
	}
	return taken, awaited, nil
}

// soonHeld returns an intake of another generation that saves most of what no conversation holds of a prompt yet; nil if there is none.
func (e *Engine) soonHeld(prompt []int32) *intake {
	held := 0
	for _, c := range e.conversations.all {
		n := common(c.target.Tokens(), prompt)
		if c.draft != nil {
			n = min(n, common(c.draft.Tokens(), prompt))
		}
		held = max(held, n)
	}
	for _, c := range e.conversations.all {
		if c.intake != nil && c.intake.saves(prompt, held) {
			return c.intake
		}
	}
	return nil
}

// tookIn says that the generation of a conversation has so much of its prompt.
func (c *conversations) tookIn(taken *conversation, done int) {
	taken.intake.done.Store(int64(done))
	c.news.tell()
}

// release lets others take a conversation.
func (c *conversations) release(taken *conversation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken.busy = false
	c.tookIn(taken, len(taken.intake.prompt))
}

// between calls f while no pass is under way.
func (c *conversations) between(f func() error) error {
	if c.group == nil {
		return f()
	}
	return c.target.Do(func() error {
		if c.draft == nil {
			return f()
		}
		return c.draft.Do(f)
	})
}

// worthCopying is the number of tokens from which on a common part of a prompt is copied.
const worthCopying = 16

func (e *Engine) choose(prompt []int32) (*conversation, error) {
	all := e.conversations.all
	var best, oldest *conversation // oldest of the idle ones
	inCommon := 0
	for _, c := range all {
		if n := common(c.target.Tokens(), prompt); best == nil || n > inCommon || n == inCommon && best.busy {
			best, inCommon = c, n
		}
		if !c.busy && (oldest == nil || c.used < oldest.used) {
			oldest = c
		}
	}
	if !best.busy && 5*inCommon >= 4*best.target.Len() { // little of it is given up
		return best, nil
	}
	if len(all) < e.conversations.most {
		added, err := e.addConversation()
		if err != nil {
			return nil, err
		}
		oldest = added
	}
	if oldest == nil {
		return nil, errors.New("all are taken")
	}
	if best != oldest && inCommon >= worthCopying && inCommon > common(oldest.target.Tokens(), prompt) {
		return oldest, e.copyCommon(oldest, best, prompt)
	}
	return oldest, nil
}

// common returns the number of tokens with which both begin.
func common(a, b []int32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// addConversation adds an empty conversation.
func (e *Engine) addConversation() (*conversation, error) {
	added := &conversation{}
	if _, err := e.equip(added); err != nil {
		return nil, err
	}
	var err error
	if added.target, err = e.target.decoder.NewSequence(); err != nil {
		return nil, err
	}
	if e.draft != nil {
		if added.draft, err = e.draft.decoder.NewSequence(); err != nil {
			added.target.Close()
			return nil, err
		}
	}
	e.conversations.all = append(e.conversations.all, added)
	return added, nil
}

// copyCommon makes the sequences of to hold what those of from have in common with a prompt, as far as layers keep it.
func (e *Engine) copyCommon(to, from *conversation, prompt []int32) error {
	for _, s := range []struct{ to, from **layers.Sequence }{{&to.target, &from.target}, {&to.draft, &from.draft}} {
		if *s.from == nil {
			continue
		}
		n := common((*s.from).Tokens(), prompt)
		fork, err := (*s.from).Fork()
		if err != nil {
			return err
		}
		if fork.Truncate(n) != nil { // what is before is no longer kept
			fork.Close()
			continue
		}
		(*s.to).Close()
		*s.to = fork
	}
	return nil
}

// options returns the models as a generation with a conversation takes them, and what ends its part in common passes.
func (e *Engine) options(c *conversation) (options spec.Options, leave func()) {
	options, leave = e.commonOptions(), func() {}
	options.FirstInPrefill = true
	if c.exit != nil {
		options.Pruner = c.exit
	}
	if group := e.conversations.group; group != nil {
		member := group.Join()
		leave = member.Leave
		target := member.Decoder(e.conversations.target, c.target)
		options.Target = target
		if options.Cold != nil {
			options.Cold = target.Cold
		}
		var draft *joint.Decoder
		if c.draft != nil {
			draft = member.Decoder(e.conversations.draft, c.draft)
			options.Draft = draft
		}
		options.Shared = func() (t, d spec.Shared) {
			t.Forwards, t.Rows, t.Texts = target.Shared()
			if draft != nil {
				d.Forwards, d.Rows, d.Texts = draft.Shared()
			}
			return t, d
		}
		e.trace.models(&options)
	}
	return options, leave
}

// budget returns the most tokens to draft for a pass that others share.
func (e *Engine) budget(asked int) int {
	if e.conversations.most == 1 {
		return asked
	}
	if asked == 0 {
		asked = defaultBudget
	}
	return max(1, min(asked, e.target.maxBatch/e.conversations.most-1))
}
