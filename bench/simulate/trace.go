package simulate

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/spec"
)

// ErrNotRecorded is the error of a replay that asks for a path that the trace lacks, as other policies or devices than those that it was recorded
// with may do.
var ErrNotRecorded = errors.New("the trace lacks a path that is asked for")

const (
	traceFormat  = "lever trace"
	traceVersion = 1
	maxLine      = 64 << 20 // bytes of the text of a header
	maxVocab     = 1 << 20
)

// trace is a recorded pair, with what it was asked.
type trace struct {
	traceHeader
	target, draft *RecordedModel
}

// traceHeader is the first line of a file; see the package documentation.
type traceHeader struct {
	Format     string      `json:"format"`
	Version    int         `json:"version"`
	Target     tracedModel `json:"target"`
	Draft      tracedModel `json:"draft"`
	Tokens     int         `json:"tokens"`      // of an answer
	WarmTokens int         `json:"warm_tokens"` // generated beforehand by policies that learn
	Stop       []int32     `json:"stop"`        // tokens that end an answer
	Sets       []tracedSet `json:"sets"`
}

// tracedModel says which model answered.
type tracedModel struct {
	Name    string `json:"name"`
	Hash    string `json:"hash"` // weights.Store.Hash
	Vocab   int    `json:"vocab"`
	Context int    `json:"context"`
	Kept    int    `json:"kept"`  // tokens after a path
	Paths   int    `json:"paths"` // lines that follow
	// Mask and Positions say how far a draft predicts; see spec.Parallel.
	Mask      int32 `json:"mask,omitempty"`
	Positions int   `json:"positions,omitempty"`
}

// tracedSet is a data set in tokens.
type tracedSet struct {
	Name    string         `json:"name"`
	Prompts []tracedPrompt `json:"prompts"`
	Warm    []int32        `json:"warm"` // prompt of what is generated beforehand
}

type tracedPrompt struct {
	ID     string  `json:"id"`
	Tokens []int32 `json:"tokens"`
}

// tracedPath is any other line.
type tracedPath struct {
	Path   string    `json:"path"` // state after its last token, hexadecimal
	Tokens []int32   `json:"tokens"`
	Probs  []float32 `json:"probs"`
	Rest   float32   `json:"rest"`
}

// newTrace returns a trace, without paths, of what h says. Without models it is one to replay.
func newTrace(h traceHeader, models spec.Options) *trace {
	return &trace{h, newRecording(models.Target, h.Target), newRecording(models.Draft, h.Draft)}
}

// extend takes in the paths of another trace of the same models and prompts.
func (t *trace) extend(other *trace) error {
	a, b := &t.traceHeader, &other.traceHeader
	for _, m := range [][2]tracedModel{{a.Target, b.Target}, {a.Draft, b.Draft}} {
		if m[0].Hash != m[1].Hash {
			return fmt.Errorf("it was recorded with another model: %s, SHA-256 %.12s, not %s, %.12s", m[1].Name, m[1].Hash, m[0].Name, m[0].Hash)
		}
		if m[0].Kept != m[1].Kept || m[0].Context != m[1].Context {
			return fmt.Errorf("it keeps %d tokens after a path of %s, of at most %d, not %d of %d", m[1].Kept, m[0].Name, m[1].Context, m[0].Kept, m[0].Context)
		}
	}
	if a.Tokens != b.Tokens || a.WarmTokens != b.WarmTokens {
		return fmt.Errorf("its answers have %d tokens after %d to learn from, not %d after %d", b.Tokens, b.WarmTokens, a.Tokens, a.WarmTokens)
	}
	equal := func(p, q tracedPrompt) bool { return p.ID == q.ID && slices.Equal(p.Tokens, q.Tokens) }
	if !slices.Equal(a.Stop, b.Stop) || !slices.EqualFunc(a.Sets, b.Sets, func(s, other tracedSet) bool {
		return s.Name == other.Name && slices.Equal(s.Warm, other.Warm) && slices.EqualFunc(s.Prompts, other.Prompts, equal)
	}) {
		return fmt.Errorf("its prompts are others: %s, not %s", b.describe(), a.describe())
	}
	maps.Copy(t.target.known, other.target.known)
	maps.Copy(t.draft.known, other.draft.known)
	return nil
}

// pairName names the models.
func (h *traceHeader) pairName() string { return h.Target.Name + " with " + h.Draft.Name }

// describe names the prompts.
func (h *traceHeader) describe() (text string) {
	for i, s := range h.Sets {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%d of %s from %s on", len(s.Prompts), s.Name, s.Prompts[0].ID)
	}
	return text
}

// save writes the trace to a file, which is there as a whole or as it was before.
func (t *trace) save(path string) error {
	var file bytes.Buffer
	z := gzip.NewWriter(&file)
	if err := errors.Join(t.write(z), z.Close()); err != nil {
		return fmt.Errorf("trace %s: %w", path, err)
	}
	return publish.WriteFile(path, file.Bytes(), 0o644)
}

// write writes the lines.
func (t *trace) write(out io.Writer) error {
	t.Format, t.Version = traceFormat, traceVersion
	t.Target.Paths, t.Draft.Paths = len(t.target.known), len(t.draft.known)
	lines := json.NewEncoder(out)
	if err := lines.Encode(&t.traceHeader); err != nil {
		return err
	}
	for _, r := range []*RecordedModel{t.target, t.draft} {
		for _, state := range slices.Sorted(maps.Keys(r.known)) {
			o := r.known[state]
			if err := lines.Encode(tracedPath{strconv.FormatUint(state, 16), o.tokens, o.probs, o.rest}); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadTrace reads a file, to replay it.
func loadTrace(path string) (*trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err == nil {
		var t *trace
		if t, err = readTrace(z); err == nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("trace %s: %w", path, err)
}

// readTrace reads the lines, of which it demands nothing beforehand, to the end.
func readTrace(in io.Reader) (*trace, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	number := 0
	next := func(v any) error {
		number++
		if !lines.Scan() {
			return cmp.Or(lines.Err(), io.ErrUnexpectedEOF)
		}
		if err := json.Unmarshal(lines.Bytes(), v); err != nil {
			return cmp.Or(lines.Err(), err) // the line may end where reading failed
		}
		return nil
	}
	var h traceHeader
	if err := next(&h); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	t := newTrace(h, spec.Options{})
	for _, m := range []struct {
		model tracedModel
		known map[uint64]outlook
	}{{h.Target, t.target.known}, {h.Draft, t.draft.known}} {
		for range m.model.Paths {
			var p tracedPath
			if err := next(&p); err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
			state, err := strconv.ParseUint(p.Path, 16, 64)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
			if _, twice := m.known[state]; twice || !p.fits(m.model) {
				return nil, fmt.Errorf("line %d: path %s is there twice, or what follows it is not %d tokens of %d with their probabilities",
					number, p.Path, m.model.Kept, m.model.Vocab)
			}
			m.known[state] = outlook{p.Tokens, p.Probs, p.Rest}
		}
	}
	if lines.Scan() {
		return nil, fmt.Errorf("line %d: the header counts fewer", number+1)
	}
	return t, lines.Err() // of the checksum, too
}

// check reports what can't be replayed.
func (h *traceHeader) check() error {
	if h.Format != traceFormat {
		return errors.New("it is no trace")
	}
	if h.Version != traceVersion {
		return fmt.Errorf("version %d; this program reads version %d: record it again", h.Version, traceVersion)
	}
	valid := min(h.Tokens, h.WarmTokens, len(h.Sets)) > 0 && h.Target.Vocab == h.Draft.Vocab
	for _, m := range []tracedModel{h.Target, h.Draft} {
		valid = valid && m.Vocab <= maxVocab && m.Kept <= m.Vocab && min(m.Kept, m.Context) > 0 && m.Paths >= 0
	}
	for _, s := range h.Sets {
		valid = valid && len(s.Prompts) > 0 && areTokens(s.Warm, h.Target.Vocab)
		for _, p := range s.Prompts {
			valid = valid && areTokens(p.Tokens, h.Target.Vocab)
		}
	}
	if !valid {
		return errors.New("header: a model or a prompt is not what it can be")
	}
	return nil
}

// areTokens reports whether there are tokens, all of the vocabulary.
func areTokens(tokens []int32, vocab int) bool {
	return len(tokens) > 0 && slices.Min(tokens) >= 0 && int(slices.Max(tokens)) < vocab
}

// fits reports whether p is what m keeps.
func (p *tracedPath) fits(m tracedModel) bool {
	return len(p.Tokens) == m.Kept && len(p.Probs) == m.Kept && areTokens(p.Tokens, m.Vocab) && slices.Min(p.Probs) >= 0
}
