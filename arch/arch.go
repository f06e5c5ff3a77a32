package arch

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/layers"
)

// ErrUnsupported is wrapped by every error about a model that is well described but needs something that is not known here. The error names
// the key and its value.
var ErrUnsupported = layers.ErrUnsupported

// Architecture is a kind of model. It is not changed once it is in use.
type Architecture struct {
	Name  string // its model_type in config.json
	Class string // its name in the list architectures of config.json
	GGUF  string // its general.architecture in GGUF files; empty if it is not read from them

	// GGUFKeys are the metadata keys of GGUF files, without the name of the architecture before them, that not all architectures have, and the keys of
	// config.json that take their values. GGUFLists are those that may have a number for each layer, and the keys that take such a list. FromGGUF,
	// unless it is nil, completes a configuration that was read so with what such files do not say; has reports whether a file has a tensor.
	GGUFKeys  map[string]string
	GGUFLists map[string]string
	FromGGUF  func(config map[string]any, has func(tensor string) bool)

	// Parse reads the configuration of a model. Mistakes in the values of keys need not be looked at: v remembers the first.
	Parse func(v *Values) (*Model, error)
}

// Model is one model, as its configuration describes it.
type Model struct {
	Architecture *Architecture // that has parsed it

	Width        int     // elements of a row of the residual stream
	Layers       int     // of the decoder
	Vocab        int     // rows of the embedding, those that pad it included
	MaxPositions int     // that the model was made for
	NormEps      float32 // of the norm before the head

	// Tied says whether the embedding is the head; nil if the configuration does not, and the tensors decide. A store's configuration always says it.
	Tied *bool

	// MaskToken stands for a token that is not known yet, if the model was trained to predict several at once (a parallel draft); else it is
	// nil. Parse sets it from "pard_token" or "ptd_token_id".
	MaskToken *int

	// Steps are the tensors by the steps of a pass, in the order in which the pass uses them. The first step is the tensor embedding, and further tables
	// of which it looks up rows if there are some; the last one ends with the tensor head. Tied models list it, too: their files lack it.
	Steps [][]Tensor
	// Unused are tensors that files may have and passes do not use.
	Unused []Tensor

	// Build returns the parts of the decoder, built on ws. The fields Workspace and Trace need not be set.
	Build func(ws *layers.Workspace, o Options) (layers.DecoderConfig, error)

	// TextPart says that the model is the part for text of one for images or sounds as well. The names of its tensors in files of Hugging Face then are
	// those that it would have as a model of its own, and tensors of the other parts are not used.
	TextPart bool

	// Config is the architecture's own description: a *[Transformer] of most of those here, a *[Gemma3nTransformer] or *[Gemma4Transformer] of these.
	Config any
}

// HeadName returns the name of the matrix that makes logits in a store of the model: that of the embedding if it is tied.
func (m *Model) HeadName() string {
	if m.Tied != nil && *m.Tied {
		return Embedding
	}
	return Head
}

// Tensor is a tensor of a model.
type Tensor struct {
	Name     string // in a store
	HF, GGUF string // in safetensors of Hugging Face, and in GGUF files
	// HFRow and GGUFRow are its first rows there, if several tensors are joined to one in files: its rows are then theirs from here on. All rows
	// of a file's tensor belong to some tensor. One of three dimensions counts as the matrices in it, one below the other.
	HFRow, GGUFRow int
	Rows, Cols     int  // a vector is one row
	Vector         bool // kept as F32, such as the gains of a norm. In files it may be a matrix, whose rows follow each other

	// HFOffset is added to the values of files of Hugging Face, such as the 1 that some architectures add to their gains. Only for vectors.
	HFOffset float32

	// Expert, if it is not empty, names the expert that the tensor belongs to. Those of one expert stand one after the other; a store keeps
	// them together, and passes read them only if they are routed there.
	Expert string

	// GGUFHeadDim is positive if GGUF files keep the rows of each head, of so many, in another order: rotary pairs side by side,
	// where Hugging Face and stores have the first halves before the second.
	GGUFHeadDim int
}

// Names of the tensors that all models have.
const (
	Embedding = "embedding"
	FinalNorm = "final_norm"
	Head      = "head"
)

// builtIn are the architectures of this package.
var builtIn = []*Architecture{
	Llama, Qwen2, Qwen3, Qwen3MoE, Mistral, Ministral, Ministral3, SmolLM3, Gemma2, Gemma3Text, Phi3, Granite, GraniteMoE, GraniteHybrid, GPTOSS,
	LFM2, LFM2VL, LFM2MoE, Gemma3, Gemma3nText, Gemma3n, Gemma4Text, Gemma4, Mistral3, Qwen2VL, Qwen25VL, Qwen3VL,
}

// All returns the architectures of this package after own.
func All(own ...*Architecture) []*Architecture { return append(slices.Clone(own), builtIn...) }

// MaxConfig is the largest size of a config.json in bytes. Real ones have some kilobytes.
const MaxConfig = 16 << 20

// Parse reads the text of a config.json. The first of own and the architectures of this package that the text names decides. Errors name
// keys and their values; the caller says which file they are in.
func Parse(config []byte, own ...*Architecture) (*Model, error) {
	v := &Values{}
	if err := json.Unmarshal(config, &v.values); err != nil {
		return nil, errors.New(fileerr.Text(err.Error()))
	}
	a, err := v.architecture(All(own...))
	if err != nil {
		return nil, err
	}
	m, err := a.read(v)
	if err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("architecture %s: %w", a.Name, err)
	}
	return m, nil
}

// read reads the configuration of a model, and refuses what it asks for and the architecture does not.
func (a *Architecture) read(v *Values) (*Model, error) {
	if err := v.refuseQuantization(); err != nil {
		return nil, err
	}
	m, err := a.Parse(v)
	if v.err != nil {
		err = v.err
	}
	if refused := v.refuse(); refused != nil && !errors.Is(err, ErrUnsupported) {
		err = refused // what is asked for tells more than what is missing
	}
	if err != nil {
		return nil, err
	}
	m.Architecture = a
	if !v.Has("tie_word_embeddings") {
		m.Tied = nil
	}
	if err := m.readMask(v); err != nil {
		return nil, err
	}
	return m, nil
}

// readMask reads the mask token, which the embedding must have.
func (m *Model) readMask(v *Values) error {
	for _, key := range []string{"pard_token", "ptd_token_id"} {
		if token := -1; v.Has(key) && !v.isNull(key) {
			if v.Int(key, &token); v.err == nil && token >= m.Vocab {
				v.Fail(fmt.Errorf("%s %d is not one of the %d tokens", key, token, m.Vocab))
			}
			m.MaskToken = &token
		}
	}
	return v.err
}

// check finds mistakes of an architecture.
func (m *Model) check() error {
	last := len(m.Steps) - 1
	switch {
	case m.Build == nil:
		return errors.New("its models have no Build")
	case last < 1 || len(m.Steps[0]) == 0 || m.Steps[0][0].Name != Embedding:
		return errors.New("the first of at least two steps does not begin with the tensor embedding")
	case !slices.ContainsFunc(m.Steps[last], func(t Tensor) bool { return t.Name == Head }):
		return errors.New("the last step has no tensor head, which tied models may lack in their files but not here")
	}
	return nil
}

// architecture returns the one that the configuration names.
func (v *Values) architecture(all []*Architecture) (*Architecture, error) {
	classes, kind := []string{}, ""
	v.Decode("architectures", &classes, "a list of names")
	v.Decode("model_type", &kind, "a name")
	if v.err != nil {
		return nil, v.err
	}
	for _, a := range all {
		foreign := func(class string) bool { return class != a.Class }
		if (kind != "" || len(classes) > 0) && (kind == "" || kind == a.Name) && !slices.ContainsFunc(classes, foreign) {
			return a, nil
		}
	}
	known := func(name func(a *Architecture) string) string {
		var names []string
		for _, a := range all {
			names = append(names, name(a))
		}
		last := len(names) - 1
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
	class := func(a *Architecture) string { return a.Class }
	switch {
	case kind == "" && len(classes) == 0:
		return nil, Unsupported("neither architectures nor model_type names the architecture; known are %s", known(class))
	case len(classes) > 0 && !slices.ContainsFunc(all, func(a *Architecture) bool { return slices.Contains(classes, a.Class) }) || kind == "":
		return nil, Unsupported("architectures = %s; known are %s", v.show("architectures"), known(class))
	case len(classes) == 0 || !slices.ContainsFunc(all, func(a *Architecture) bool { return a.Name == kind }):
		return nil, Unsupported("model_type = %s; known are %s", v.show("model_type"), known(func(a *Architecture) string { return a.Name }))
	}
	return nil, Unsupported("model_type = %s with architectures = %s", v.show("model_type"), v.show("architectures"))
}

// Unsupported makes an error that wraps [ErrUnsupported], of a text as [fmt.Sprintf] makes it.
func Unsupported(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrUnsupported)
}
