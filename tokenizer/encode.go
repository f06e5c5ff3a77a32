package tokenizer

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
// The time is O(n log n) in the length of the text, whatever it holds.
func (t *Tokenizer) Encode(text string, opts EncodeOptions) []int32 {
	return t.encode(text, opts, func(s string) string { return s })
}

// encode encodes text as Encode does, and applies plain to what lies between added tokens.
func (t *Tokenizer) encode(text string, opts EncodeOptions, plain func(string) string) []int32 {
	e := encoder{t: t, ids: make([]int32, 0, len(text)/4+2)}
	if opts.AddBOS && t.bos >= 0 {
		e.ids = append(e.ids, t.bos)
	}
	t.rawAdded.cut(text, opts.ParseSpecial, e.token, func(s string) {
		if t.nfc {
			s = normalize(s)
		}
		t.normalAdded.cut(s, opts.ParseSpecial, e.token, func(s string) { e.text(plain(s)) })
	})
	return e.ids
}

// encoder collects the tokens of one text.
type encoder struct {
	t   *Tokenizer
	ids []int32
	m   merger
}

func (e *encoder) token(id int32) { e.ids = append(e.ids, id) }

func (e *encoder) text(s string) {
	for s != "" {
		n := e.t.split(s)
		e.piece(s[:n])
		s = s[n:]
	}
}

func (e *encoder) piece(s string) {
	t := e.t
	if len(s) == 1 {
		e.ids = append(e.ids, t.bytes[s[0]])
		return
	}
	if len(s) > cachePiece {
		e.uncached(s)
		return
	}
	slot := t.cache.slot(s)
	if hit := slot.Load(); hit != nil && hit.text == s {
		e.ids = append(e.ids, hit.ids...)
		return
	}
	from := len(e.ids)
	e.uncached(s)
	slot.Store(newCachedPiece(s, e.ids[from:]))
}

func (e *encoder) uncached(s string) {
	if e.t.ignoreMerges {
		if id, ok := e.t.index[s]; ok {
			e.ids = append(e.ids, id)
			return
		}
	}
	e.ids = e.m.appendMerged(e.ids, s, e.t)
}
