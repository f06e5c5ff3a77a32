package tokenizer

import (
	"context"
	"slices"
)

// EncodeOptions says what [Tokenizer.Encode] does beyond splitting text. The zero value treats all text as plain.
type EncodeOptions struct {
	// AddBOS puts the beginning-of-sequence token first, if the model has one. See [Tokenizer.AddBOS].
	AddBOS bool
	// ParseSpecial turns the text of control tokens, such as "<|eot_id|>", into those tokens. Leave it unset for text from
	// elsewhere, which could otherwise forge them. Added tokens that are not control tokens, such as "<think>", are always
	// recognised.
	ParseSpecial bool
}

// Encode returns the token ids of text. Bytes that are not UTF-8 are kept as they are, unless the model normalises its input.
// The time is O(n log n) in the length of the text, whatever it holds: about a second for some megabytes, which [Tokenizer.EncodeContext] ends
// earlier.
func (t *Tokenizer) Encode(text string, opts EncodeOptions) []int32 {
	ids, _ := t.EncodeContext(context.Background(), text, opts) // there is no other error than the context's
	return ids
}

// EncodeContext is Encode for long texts: it ends with the context's error when ctx is done, and lets other goroutines go first now and then.
func (t *Tokenizer) EncodeContext(ctx context.Context, text string, opts EncodeOptions) ([]int32, error) {
	return t.encode(ctx, text, opts, func(s string) string { return s })
}

// workPerByte is how many characters splitters may look at for each byte of a text. Real patterns need fewer than ten.
const workPerByte = 64

// encode encodes text as Encode does, and applies plain to what lies between added tokens.
func (t *Tokenizer) encode(ctx context.Context, text string, opts EncodeOptions, plain func(string) string) ([]int32, error) {
	e := encoder{t: t, checks: checks{ctx: ctx}, ids: make([]int32, 0, len(text)/4+2), work: workPerByte * (len(text) + 64)}
	if opts.AddBOS && t.bos >= 0 {
		e.ids = append(e.ids, t.bos)
	}
	t.rawAdded.cut(&e.checks, text, opts.ParseSpecial, e.token, func(s string) {
		s = t.normal.apply(s)
		t.normalAdded.cut(&e.checks, s, opts.ParseSpecial, e.token, func(s string) { e.text(plain(s)) })
	})
	if e.checks.err != nil {
		return nil, e.checks.err
	}
	return e.ids, nil
}

// encoder collects the tokens of one text.
type encoder struct {
	t        *Tokenizer
	checks   checks
	ids      []int32
	m        merger
	v        viterbi
	work     int  // see splitter
	inside   bool // something of the text has been encoded
	textFrom int  // where the ids of the text since the last added token begin
}

func (e *encoder) token(id int32) {
	e.ids = append(e.ids, id)
	e.inside = true
	e.textFrom = len(e.ids)
}

// text encodes what lies between added tokens.
func (e *encoder) text(s string) {
	if e.t.pieces != nil {
		s = e.t.pieces.start(s, e.inside)
	}
	e.inside = true
	e.textFrom = len(e.ids)
	e.split(s, e.t.split)
}

// split cuts s with the first of the splitters, the pieces with the second, and so on.
func (e *encoder) split(s string, with []splitter) {
	if len(with) == 0 {
		e.piece(s)
		return
	}
	for s != "" && e.checks.err == nil {
		n := with[0].next(s, &e.work)
		e.split(s[:n], with[1:])
		s = s[n:]
	}
}

func (e *encoder) piece(s string) {
	t := e.t
	if s == "" || !e.checks.look(len(s)) {
		return
	}
	if len(s) == 1 && t.pieces == nil {
		e.ids = append(e.ids, t.bytes[s[0]])
		return
	}
	if len(s) > cachePiece {
		from := len(e.ids)
		e.uncached(s)
		e.fuse(from)
		return
	}
	slot := t.cache.slot(s)
	if hit := slot.Load(); hit != nil && hit.text == s {
		from := len(e.ids)
		e.ids = append(e.ids, hit.ids...)
		e.fuse(from)
		return
	}
	from := len(e.ids)
	if e.uncached(s); e.checks.err == nil {
		slot.Store(newCachedPiece(s, e.ids[from:]))
	}
	e.fuse(from)
}

// fuse makes one of the unknown tokens on both sides of a border between pieces of the same text.
func (e *encoder) fuse(border int) {
	p := e.t.pieces
	if p == nil || !p.fuseUnknown || border <= e.textFrom || border >= len(e.ids) {
		return
	}
	if e.ids[border-1] == p.unknown && e.ids[border] == p.unknown {
		e.ids = slices.Delete(e.ids, border, border+1)
	}
}

func (e *encoder) uncached(s string) {
	if e.t.ignoreMerges {
		if id, ok := e.t.index[s]; ok {
			e.ids = append(e.ids, id)
			return
		}
	}
	if e.t.unigram != nil {
		e.ids = e.v.appendBest(&e.checks, e.ids, s, e.t)
		return
	}
	e.ids = e.m.appendMerged(&e.checks, e.ids, s, e.t)
}
