package tokenizer

import (
	"errors"
	"fmt"
	"slices"
)

// ErrUnsupported is wrapped by errors about a well-formed tokenizer that asks for something this package does not do.
// The error quotes what was asked for.
var ErrUnsupported = errors.New("unsupported")

// ErrInvalid is wrapped by errors about a file that contradicts its own format. The error names the file and the place.
var ErrInvalid = errors.New("invalid")

// Tokenizer turns text into token ids and back. Its methods are safe for concurrent use: nothing changes after
// construction but a bounded cache of pieces.
type Tokenizer struct {
	tokens       []string         // bytes of each token, "" where an id has none
	index        map[string]int32 // id of each token that text is made of
	bytes        [256]int32       // ids of the single bytes, from which merging starts
	merges       map[uint64]merge
	ignoreMerges bool       // a piece that is a token is taken whole
	split        []splitter // one after the other
	normal       normalizer
	pieces       *pieces  // nil for a byte-level vocabulary
	unigram      *unigram // nil where pairs merge

	special     map[string]int32 // ids of the added tokens by their text
	control     map[int32]bool   // ids that text stands for only on request
	rawAdded    *trie            // added tokens looked for in the text as it is
	normalAdded *trie            // added tokens looked for after normalisation

	bos      int32 // -1 where there is none
	addBOS   bool
	eos      []int32
	eosToken int32 // what templates call eos_token; -1 where there is none

	templates []namedTemplate
	cache     *pieceCache
}

// added is a token that stands for itself in text, wherever it occurs.
type added struct {
	text       string
	id         int32
	control    bool // recognised only when special tokens are asked for
	normalized bool // looked for in normalised text
	spelled    bool // text is in that form already
	left       bool // takes the white space before it along
	right      bool // takes the white space behind it along
	word       bool // recognised only where no letter, digit or underscore is beside it
}

// definition is what every file format boils down to.
type definition struct {
	tokens       []string
	index        map[string]int32 // id of each token that text is made of; build makes it from tokens, if nil
	added        []added
	merges       map[uint64]merge
	ignoreMerges bool
	split        []splitter
	normal       normalizer
	pieces       *pieces
	unigram      *unigram
	bytes        [256]int32 // with pieces that fall back to bytes
}

// maxAddedLen bounds the text of an added token, and so the work that its search does at each byte of the text.
const maxAddedLen = 512

// build checks d and makes the tokenizer.
func (d definition) build() (*Tokenizer, error) {
	t := &Tokenizer{
		tokens:       d.tokens,
		index:        d.index,
		bytes:        d.bytes,
		merges:       d.merges,
		ignoreMerges: d.ignoreMerges,
		split:        d.split,
		normal:       d.normal,
		pieces:       d.pieces,
		unigram:      d.unigram,
		special:      make(map[string]int32, len(d.added)),
		control:      make(map[int32]bool, len(d.added)),
		rawAdded:     newTrie(),
		normalAdded:  newTrie(),
		bos:          -1,
		eosToken:     -1,
		cache:        newPieceCache(),
	}
	for _, a := range d.added {
		if err := t.add(a); err != nil {
			return nil, err
		}
	}
	if d.pieces == nil {
		if err := t.indexBytes(); err != nil {
			return nil, err
		}
	}
	for pair, to := range t.merges { // text that is not to be parsed for control tokens must not become one
		if t.control[to.id] {
			delete(t.merges, pair)
		}
	}
	t.guessEnds()
	return t, nil
}

// add adds a token that stands for itself.
func (t *Tokenizer) add(a added) error {
	switch {
	case a.text == "":
		return fmt.Errorf("added token %d is empty: %w", a.id, ErrInvalid)
	case len(a.text) > maxAddedLen:
		return fmt.Errorf("added token %d has %d bytes, more than %d: %w", a.id, len(a.text), maxAddedLen, ErrUnsupported)
	case a.id < 0 || int(a.id) >= len(t.tokens):
		return fmt.Errorf("added token %q has id %d outside 0..%d: %w", a.text, a.id, len(t.tokens)-1, ErrInvalid)
	}
	t.tokens[a.id] = a.text
	if t.pieces != nil {
		t.tokens[a.id] = t.pieces.spell(a.text)
	}
	t.special[a.text] = a.id
	t.control[a.id] = a.control
	if a.control && t.index[t.tokens[a.id]] == a.id {
		delete(t.index, t.tokens[a.id])
	}
	if a.normalized && t.normal != nil {
		if !a.spelled {
			a.text = t.normal.apply(a.text)
		}
		if a.text == "" {
			return nil
		}
		t.normalAdded.insert(a)
	} else {
		t.rawAdded.insert(a)
	}
	return nil
}

// indexBytes indexes the tokens that text is made of, and finds those of the single bytes.
func (t *Tokenizer) indexBytes() error {
	t.index = make(map[string]int32, len(t.tokens))
	for id, s := range t.tokens {
		if _, known := t.index[s]; s != "" && !known && !t.control[int32(id)] {
			t.index[s] = int32(id)
		}
	}
	for b := range t.bytes {
		id, ok := t.index[string([]byte{byte(b)})]
		if !ok {
			return fmt.Errorf("no token for byte 0x%02X, so not a byte-level vocabulary: %w", b, ErrUnsupported)
		}
		t.bytes[b] = id
	}
	return nil
}

// guessEnds sets the beginning- and end-of-sequence tokens from their usual names, for files that name none. Only control tokens count: in
// some vocabularies "<s>" and "</s>" are tags of HTML.
func (t *Tokenizer) guessEnds() {
	for _, name := range []string{"<|begin_of_text|>", "<bos>", "<s>"} {
		if id, ok := t.Special(name); ok && t.control[id] && t.bos < 0 {
			t.bos, t.addBOS = id, true
		}
	}
	for _, name := range []string{"<|end_of_text|>", "<|eom_id|>", "<|eot_id|>", "<|im_end|>", "<|endoftext|>", "<|end|>", "<end_of_turn>", "<turn|>", "<eos>", "</s>"} {
		if id, ok := t.Special(name); ok && t.control[id] && !(name == endMessage && t.HasChannels()) {
			t.addEOS(id)
		}
	}
	if len(t.eos) > 0 {
		t.eosToken = t.eos[0]
	}
}

// addEOS adds id to the ids that end a text, once.
func (t *Tokenizer) addEOS(id int32) {
	if !slices.Contains(t.eos, id) {
		t.eos = append(t.eos, id)
	}
}

// Size returns the number of token ids that exist, from 0. A model's output may be padded beyond it; those rows stand for
// nothing.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// Token returns the bytes of a token, which may be part of a character, and "" for an id that stands for nothing.
func (t *Tokenizer) Token(id int32) string {
	if id < 0 || int(id) >= len(t.tokens) {
		return ""
	}
	return t.tokens[id]
}

// Special returns the id of an added token such as "<|eot_id|>" or "<think>".
func (t *Tokenizer) Special(name string) (id int32, ok bool) {
	id, ok = t.special[name]
	return id, ok
}

// IsSpecial reports whether id is a control token: one that frames text and is not part of it.
func (t *Tokenizer) IsSpecial(id int32) bool { return t.control[id] }

// BOS returns the token that begins a sequence; ok is false for a model that has none.
func (t *Tokenizer) BOS() (id int32, ok bool) { return t.bos, t.bos >= 0 }

// EOS returns the ids that end a text, in the order in which the model's files name them. The caller owns the slice.
func (t *Tokenizer) EOS() []int32 { return slices.Clone(t.eos) }

// AddBOS reports whether the model expects [Tokenizer.BOS] before plain text. Chat templates write it themselves.
func (t *Tokenizer) AddBOS() bool { return t.addBOS && t.bos >= 0 }
