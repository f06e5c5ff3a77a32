package tokenizer

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// jsonStep is a normalizer, a pre-tokenizer or a decoder of a tokenizer.json.
type jsonStep struct {
	Type             string      `json:"type"`
	Normalizers      []jsonStep  `json:"normalizers"`
	PreTokenizers    []jsonStep  `json:"pretokenizers"`
	Decoders         []jsonStep  `json:"decoders"`
	Pattern          jsonPattern `json:"pattern"`
	Content          string      `json:"content"`
	Behavior         string      `json:"behavior"`
	Invert           bool        `json:"invert"`
	AddPrefixSpace   *bool       `json:"add_prefix_space"`
	UseRegex         *bool       `json:"use_regex"` // true where absent
	IndividualDigits bool        `json:"individual_digits"`
	Prepend          string      `json:"prepend"`
	Replacement      string      `json:"replacement"`
	PrependScheme    string      `json:"prepend_scheme"`
	Split            *bool       `json:"split"` // true where absent
	StripLeft        bool        `json:"strip_left"`
	StripRight       bool        `json:"strip_right"`
	Start            int         `json:"start"`
	Stop             int         `json:"stop"`
	Charsmap         string      `json:"precompiled_charsmap"`
}

type jsonPattern struct {
	Regex  *string `json:"Regex"`
	String *string `json:"String"`
}

// steps translates the steps of a tokenizer.json into those of a definition.
type steps struct {
	d         *definition
	byteLevel bool
	spaces    bool // some step writes spaces as SentencePiece does
	words     bool // text was split at white space
}

// pieces returns what is said of a vocabulary of characters.
func (s *steps) pieces() *pieces {
	if s.d.pieces == nil {
		s.d.pieces = &pieces{}
	}
	return s.d.pieces
}

// check reports steps that do not go together.
func (s *steps) check() error {
	switch {
	case s.words && !s.spaces:
		return fmt.Errorf("a WhitespaceSplit without a Metaspace: %w", ErrUnsupported)
	case s.byteLevel && s.d.pieces != nil:
		return fmt.Errorf("a ByteLevel step among those of SentencePiece: %w", ErrUnsupported)
	case !s.byteLevel && !s.spaces:
		return fmt.Errorf("neither a ByteLevel step nor one that writes spaces as %s (Metaspace, or Replace): %w", metaspace, ErrUnsupported)
	}
	return nil
}

// normalizer takes over a normalizer.
func (s *steps) normalizer(step *jsonStep) error {
	if step == nil {
		return nil
	}
	add := func(f func(string) string) { s.d.normal = append(s.d.normal, f) }
	if form, ok := unicodeForms[step.Type]; ok {
		add(form)
		return nil
	}
	switch step.Type {
	case "Sequence":
		for i := range step.Normalizers {
			if err := s.normalizer(&step.Normalizers[i]); err != nil {
				return err
			}
		}
	case "Prepend":
		if step.Prepend != metaspace {
			return fmt.Errorf("a Prepend of %q (only %s): %w", shorten(step.Prepend), metaspace, ErrUnsupported)
		}
		s.pieces()
		add(prefixSpace)
	case "Replace":
		return s.replace(step)
	case "Strip":
		if step.StripLeft {
			add(func(s string) string { return strings.TrimLeftFunc(s, isSpace) })
		}
		if step.StripRight {
			add(func(s string) string { return strings.TrimRightFunc(s, isSpace) })
		}
	case "Precompiled":
		data, err := base64.StdEncoding.DecodeString(step.Charsmap)
		if err != nil {
			return fmt.Errorf("precompiled_charsmap: %w: %w", err, ErrInvalid)
		}
		m, err := parseCharsmap(data)
		if err != nil {
			return fmt.Errorf("precompiled_charsmap: %w", err)
		}
		add(m.apply)
	default:
		return fmt.Errorf("type %q (known are NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip and Precompiled): %w", shorten(step.Type), ErrUnsupported)
	}
	return nil
}

// replace takes over a Replace normalizer.
func (s *steps) replace(step *jsonStep) error {
	content := strings.ReplaceAll(step.Content, metaspace, " ")
	switch p := step.Pattern; {
	case p.String != nil && *p.String == " " && step.Content == metaspace:
		s.pieces()
		s.spaces = true
		s.d.normal = append(s.d.normal, replaceAll(metaspace, " "))
	case p.String != nil && *p.String != "":
		s.d.normal = append(s.d.normal, replaceAll(*p.String, content))
	case p.Regex != nil && *p.Regex == " {2,}" && content == " ":
		s.d.normal = append(s.d.normal, collapseSpaces)
	case p.Regex != nil:
		return fmt.Errorf("a Replace of pattern %q by %q: %w", shorten(*p.Regex), shorten(step.Content), ErrUnsupported)
	default:
		return fmt.Errorf("a Replace of nothing: %w", ErrInvalid)
	}
	return nil
}

// preTokenizer takes over a pre-tokenizer.
func (s *steps) preTokenizer(step *jsonStep) error {
	if step == nil {
		return nil
	}
	if s.byteLevel {
		return fmt.Errorf("type %q behind ByteLevel: %w", shorten(step.Type), ErrUnsupported)
	}
	switch step.Type {
	case "Sequence":
		for i := range step.PreTokenizers {
			if err := s.preTokenizer(&step.PreTokenizers[i]); err != nil {
				return err
			}
		}
	case "ByteLevel":
		if step.AddPrefixSpace != nil && *step.AddPrefixSpace {
			return fmt.Errorf("add_prefix_space: %w", ErrUnsupported)
		}
		s.byteLevel = true
		if step.UseRegex == nil || *step.UseRegex {
			s.d.split = append(s.d.split, scanner(splitGPT2))
		}
	case "WhitespaceSplit":
		if s.spaces || len(s.d.split) > 0 {
			return fmt.Errorf("type %q behind another step that writes spaces or splits: %w", step.Type, ErrUnsupported)
		}
		s.words = true
	case "Digits":
		s.d.split = append(s.d.split, splitDigits(!step.IndividualDigits))
	case "Split":
		return s.splitAt(step)
	case "Metaspace":
		return s.metaspace(step)
	default:
		return fmt.Errorf("type %q (known are ByteLevel, Digits, Metaspace, Split and WhitespaceSplit): %w", shorten(step.Type), ErrUnsupported)
	}
	return nil
}

// splitAt takes over a Split.
func (s *steps) splitAt(step *jsonStep) error {
	switch p := step.Pattern; {
	case p.String != nil && *p.String == " " && s.spaces:
		return nil // the text has no spaces any more
	case p.Regex == nil:
		return fmt.Errorf("a Split at a string: %w", ErrUnsupported)
	case !(step.Behavior == "Isolated" && !step.Invert || step.Behavior == "Removed" && step.Invert):
		return fmt.Errorf("a Split with behavior %q, invert %v: %w", shorten(step.Behavior), step.Invert, ErrUnsupported)
	}
	split, err := splitterFor(*step.Pattern.Regex)
	if err != nil {
		return err
	}
	s.d.split = append(s.d.split, split)
	return nil
}

// metaspace takes over a Metaspace pre-tokenizer.
func (s *steps) metaspace(step *jsonStep) error {
	if step.Replacement != metaspace {
		return fmt.Errorf("a Metaspace with replacement %q: %w", shorten(step.Replacement), ErrUnsupported)
	}
	p := s.pieces()
	switch {
	case step.PrependScheme == "never", step.PrependScheme == "" && step.AddPrefixSpace != nil && !*step.AddPrefixSpace:
	case step.PrependScheme == "always", step.PrependScheme == "":
		p.prefix = prefixMissing
	case step.PrependScheme == "first":
		p.prefix = prefixFirst
	default:
		return fmt.Errorf("prepend_scheme %q: %w", shorten(step.PrependScheme), ErrUnsupported)
	}
	switch {
	case s.words && p.prefix != prefixMissing:
		return fmt.Errorf("prepend_scheme %q behind WhitespaceSplit: %w", shorten(step.PrependScheme), ErrUnsupported)
	case s.words:
		s.spaces, p.prefix = true, prefixWords
	case !s.spaces:
		s.spaces = true
		s.d.normal = append(s.d.normal, replaceAll(metaspace, " "))
	}
	if step.Split == nil || *step.Split {
		s.d.split = append(s.d.split, scanner(splitSpaces))
	}
	return nil
}

// decoder checks that tokens are decoded as this package does.
func (s *steps) decoder(step *jsonStep) error {
	if step == nil {
		return nil
	}
	if step.Type == "Sequence" {
		for i := range step.Decoders {
			if err := s.decoder(&step.Decoders[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if s.byteLevel {
		if step.Type != "ByteLevel" {
			return fmt.Errorf("type %q (only ByteLevel, as the pre-tokenizer has it): %w", shorten(step.Type), ErrUnsupported)
		}
		return nil
	}
	switch step.Type {
	case "Fuse", "ByteFallback":
		return nil
	case "Replace":
		if p := step.Pattern.String; p != nil && *p == metaspace && step.Content == " " {
			return nil
		}
	case "Strip":
		if step.Content == " " && step.Start <= 1 && step.Stop == 0 {
			s.pieces().prefixed = step.Start == 1
			return nil
		}
	case "Metaspace":
		scheme := step.PrependScheme
		s.pieces().prefixed = scheme != "never" && (scheme != "" || step.AddPrefixSpace == nil || *step.AddPrefixSpace)
		return nil
	}
	return fmt.Errorf("type %q (known are ByteFallback, Fuse, Metaspace, and Replace and Strip for what SentencePiece writes): %w",
		shorten(step.Type), ErrUnsupported)
}
