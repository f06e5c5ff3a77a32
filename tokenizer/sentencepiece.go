package tokenizer

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// pieceKind says what a token of SentencePiece is for. GGUF has the same numbers.
type pieceKind int32

const (
	normalPiece      pieceKind = 1
	unknownPiece     pieceKind = 2
	controlPiece     pieceKind = 3
	userDefinedPiece pieceKind = 4
	unusedPiece      pieceKind = 5
	bytePiece        pieceKind = 6
)

// sentencePiece is what a model of SentencePiece says.
type sentencePiece struct {
	texts    []string
	scores   []float32
	kinds    []pieceKind
	unigram  bool
	own      bool       // a file of SentencePiece itself, which looks for user-defined tokens in normalised text
	prefix   prefixRule // before the parts between added tokens
	dummy    bool       // a space is put before each part between control tokens
	collapse bool       // spaces at the ends are dropped, and several become one
	charsmap []byte     // empty where nothing is replaced
	bosText  string
}

// definition checks s and translates it.
func (s *sentencePiece) definition() (d definition, err error) {
	p := &pieces{unknown: -1, fuseUnknown: true, prefix: s.prefix, prefixed: s.prefix != noPrefix || s.dummy}
	d.pieces = p
	if len(s.charsmap) > 0 {
		m, err := parseCharsmap(s.charsmap)
		if err != nil {
			return d, fmt.Errorf("precompiled_charsmap: %w", err)
		}
		for id, text := range s.texts {
			if s.kinds[id] == userDefinedPiece {
				m.keep.insert(added{text: text, id: int32(id)})
			}
		}
		d.normal = append(d.normal, m.apply)
	}
	if s.collapse {
		// SentencePiece looks for spaces at the end when it has written them as metaspaces.
		d.normal = append(d.normal, func(s string) string {
			return collapseSpaces(strings.TrimLeft(strings.TrimRight(s, " "+metaspace), " "))
		})
	}
	if s.dummy {
		d.normal = append(d.normal, prefixSpace)
	}
	d.normal = append(d.normal, replaceAll(metaspace, " "))
	texts := slices.Clone(s.texts)
	for id, text := range s.texts {
		switch s.kinds[id] {
		case unknownPiece:
			p.unknown = int32(id)
			d.added = append(d.added, added{text: text, id: int32(id), control: true})
		case controlPiece:
			d.added = append(d.added, added{text: text, id: int32(id), control: true})
		case userDefinedPiece:
			d.added = append(d.added, added{text: p.spell(text), id: int32(id), normalized: s.own, spelled: true})
		case bytePiece:
			if _, ok := byteToken(text); !ok {
				return d, fmt.Errorf("token %d is of a byte but called %q: %w", id, shorten(text), ErrInvalid)
			}
			p.byteFallback = true
		case unusedPiece:
			texts[id] = ""
		}
	}
	d.setTokens(texts, func(id int) bool { return s.kinds[id] == normalPiece || s.kinds[id] == userDefinedPiece })
	if s.unigram {
		scores := make([]float64, len(s.scores))
		for id, score := range s.scores {
			scores[id] = float64(score)
		}
		d.unigram = newUnigram(d.index, scores)
		d.unigram.rounded = s.own
		return d, nil
	}
	d.merges = scoredMerges(d.index, s.scores)
	d.split = []splitter{newSeams(d.index)}
	return d, nil
}

// scoredMerges returns the merges that scores imply: two neighbours merge where their concatenation is a token, that of the highest score
// first, and the leftmost of equal ones.
func scoredMerges(index map[string]int32, scores []float32) map[uint64]merge {
	order := make([]int32, 0, len(index))
	for _, id := range index {
		order = append(order, id)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
	ranks := make([]int32, len(scores))
	for i, id := range order {
		if i > 0 && scores[id] == scores[order[i-1]] {
			ranks[id] = ranks[order[i-1]]
		} else {
			ranks[id] = int32(i)
		}
	}
	merges := make(map[uint64]merge, 2*len(index))
	for token, id := range index {
		if len(token) > maxRankedLen {
			continue
		}
		for cut := 1; cut < len(token); cut++ {
			if !utf8.RuneStart(token[cut]) {
				continue
			}
			left, ok := index[token[:cut]]
			if !ok {
				continue
			}
			if right, ok := index[token[cut:]]; ok {
				merges[pairKey(left, right)] = merge{rank: ranks[id], id: id}
			}
		}
	}
	return merges
}

// Fields of the messages in a model of SentencePiece (sentencepiece_model.proto), which is a ModelProto.
const (
	modelPieces     = 1 // SentencePiece, repeated
	modelTrainer    = 2 // TrainerSpec
	modelNormalizer = 3 // NormalizerSpec

	pieceText  = 1
	pieceScore = 2
	pieceType  = 3

	trainerModelType        = 3 // 1: unigram, 2: BPE
	trainerWhitespaceSuffix = 24
	trainerBOSPiece         = 46

	normalizerCharsmap    = 2
	normalizerDummyPrefix = 3 // true where absent
	normalizerRemoveExtra = 4 // true where absent
	normalizerEscape      = 5 // true where absent
)

// fromSentencePiece makes a tokenizer from a model of SentencePiece.
func fromSentencePiece(data []byte) (*Tokenizer, error) {
	s, err := parseSentencePiece(data)
	if err != nil {
		return nil, err
	}
	d, err := s.definition()
	if err != nil {
		return nil, err
	}
	t, err := d.build()
	if err != nil {
		return nil, err
	}
	if id, ok := t.Special(s.bosText); ok {
		t.bos, t.addBOS = id, !s.unigram
	}
	return t, nil
}

// parseSentencePiece reads a ModelProto.
func parseSentencePiece(data []byte) (*sentencePiece, error) {
	s := &sentencePiece{unigram: true, own: true, dummy: true, collapse: true, bosText: "<s>"}
	err := eachField(data, func(f field) error {
		switch f.number {
		case modelPieces:
			return s.readPiece(f.bytes)
		case modelTrainer:
			return eachField(f.bytes, s.readTrainer)
		case modelNormalizer:
			return eachField(f.bytes, s.readNormalizer)
		}
		return nil
	})
	if err == nil && len(s.texts) == 0 {
		err = fmt.Errorf("no pieces: %w", ErrInvalid)
	}
	return s, err
}

func (s *sentencePiece) readPiece(data []byte) error {
	text, score, kind := "", float32(0), normalPiece
	err := eachField(data, func(f field) error {
		switch f.number {
		case pieceText:
			text = string(f.bytes)
		case pieceScore:
			score = math.Float32frombits(uint32(f.value))
		case pieceType:
			kind = pieceKind(f.value)
		}
		return nil
	})
	if err == nil && text == "" {
		err = fmt.Errorf("without text: %w", ErrInvalid)
	}
	if err != nil {
		return fmt.Errorf("piece %d: %w", len(s.texts), err)
	}
	s.texts, s.scores, s.kinds = append(s.texts, text), append(s.scores, score), append(s.kinds, kind)
	return nil
}

func (s *sentencePiece) readTrainer(f field) error {
	switch f.number {
	case trainerModelType:
		if f.value != 1 && f.value != 2 {
			return fmt.Errorf("model type %d (known are unigram, 1, and BPE, 2): %w", f.value, ErrUnsupported)
		}
		s.unigram = f.value == 1
	case trainerWhitespaceSuffix:
		if f.value != 0 {
			return fmt.Errorf("treat_whitespace_as_suffix: %w", ErrUnsupported)
		}
	case trainerBOSPiece:
		s.bosText = string(f.bytes)
	}
	return nil
}

func (s *sentencePiece) readNormalizer(f field) error {
	switch f.number {
	case normalizerCharsmap:
		s.charsmap = f.bytes
	case normalizerDummyPrefix:
		s.dummy = f.value != 0
	case normalizerRemoveExtra:
		s.collapse = f.value != 0
	case normalizerEscape:
		if f.value == 0 {
			return fmt.Errorf("spaces that are not escaped: %w", ErrUnsupported)
		}
	}
	return nil
}

// field is a field of a message: value of a number, bytes of a text or an inner message.
type field struct {
	number protowire.Number
	value  uint64
	bytes  []byte
}

// eachField calls do with the fields of a message.
func eachField(data []byte, do func(f field) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protoError(n)
		}
		data = data[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(data)
			f.value = uint64(v)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return protoError(n)
		}
		if err := do(f); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func protoError(n int) error {
	return fmt.Errorf("not a model of SentencePiece: %w: %w", protowire.ParseError(n), ErrInvalid)
}
