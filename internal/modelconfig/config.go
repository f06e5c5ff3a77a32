package modelconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/lever-go/lever/internal/fileerr"
)

// ErrUnsupported is wrapped by errors about a configuration that is well formed but asks for what is not known here.
var ErrUnsupported = errors.New("not supported")

// The families of models, which share one block structure each.
const (
	Llama = "llama"
	Qwen3 = "qwen3"
)

// Config is what a configuration says. Sizes are in elements.
type Config struct {
	Family       string
	Width        int
	Layers       int
	Heads        int
	KVHeads      int
	HeadDim      int
	FFN          int
	Vocab        int
	MaxPositions int
	NormEps      float32
	Tied         *bool // nil where the configuration does not say
	Rope         Rope
}

// Upper limits of what a configuration may ask for: several times the largest dense models that exist, and small enough that
// the scratch memory of a decoder stays under 1 GiB whatever a hostile file says.
const (
	maxWidth     = 1 << 15
	maxLayers    = 1 << 9
	maxHeads     = 1 << 10
	maxHeadDim   = 1 << 10
	maxFFN       = 1 << 17
	maxVocab     = 1 << 21
	maxPositions = 1 << 24
	maxQueryDim  = 1 << 16 // Heads·HeadDim
)

// MaxSize is the largest size of a config.json in bytes that callers need to read.
const MaxSize = 16 << 20

// The two ways in which a configuration names a family.
var (
	familyOfArchitecture = map[string]string{"LlamaForCausalLM": Llama, "Qwen3ForCausalLM": Qwen3}
	familyOfModelType    = map[string]string{"llama": Llama, "qwen3": Qwen3}
)

// Parse reads the text of a config.json. What it returns is valid, see [Config.Validate].
func Parse(text []byte) (Config, error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return Config{}, errors.New(fileerr.Text(err.Error()))
	}
	o := &object{values: values}
	family, err := o.family()
	if err != nil {
		return Config{}, err
	}
	if err := o.refuse(); err != nil {
		return Config{}, err
	}
	c := Config{Family: family, NormEps: 1e-6, MaxPositions: 2048}
	for _, field := range []struct {
		key  string
		into *int
	}{
		{"hidden_size", &c.Width},
		{"num_hidden_layers", &c.Layers},
		{"num_attention_heads", &c.Heads},
		{"intermediate_size", &c.FFN},
		{"vocab_size", &c.Vocab},
	} {
		if !o.has(field.key) {
			return Config{}, fmt.Errorf("%s is missing", field.key)
		}
		o.integer(field.key, field.into)
	}
	c.KVHeads = c.Heads
	o.integer("num_key_value_heads", &c.KVHeads)
	if c.Heads > 0 && c.Width%c.Heads == 0 {
		c.HeadDim = c.Width / c.Heads
	} else if !o.has("head_dim") {
		return Config{}, fmt.Errorf("head_dim is missing, and hidden_size %d is no multiple of num_attention_heads %d", c.Width, c.Heads)
	}
	o.integer("head_dim", &c.HeadDim)
	o.integer("max_position_embeddings", &c.MaxPositions)
	eps := float64(c.NormEps)
	o.number("rms_norm_eps", &eps)
	c.NormEps = float32(eps)
	if o.has("tie_word_embeddings") {
		c.Tied = new(bool)
		o.decode("tie_word_embeddings", c.Tied, "true or false")
	}
	if o.err != nil {
		return Config{}, o.err
	}
	if c.Rope, err = o.rope(); err != nil {
		return Config{}, err
	}
	return c, c.Validate()
}

// family finds the family by architectures and model_type; where both are present they must agree.
func (o *object) family() (string, error) {
	var architectures []string
	var modelType string
	o.decode("architectures", &architectures, "a list of names")
	o.decode("model_type", &modelType, "a name")
	if o.err != nil {
		return "", o.err
	}
	const known = "; known are LlamaForCausalLM and Qwen3ForCausalLM"
	var family string
	for _, name := range architectures {
		f, ok := familyOfArchitecture[name]
		if !ok || family != "" && f != family {
			return "", unsupported("architectures = %s%s", o.show("architectures"), known)
		}
		family = f
	}
	if modelType != "" {
		f, ok := familyOfModelType[modelType]
		switch {
		case !ok:
			return "", unsupported("model_type = %s; known are llama and qwen3", o.show("model_type"))
		case family != "" && f != family:
			return "", unsupported("model_type = %s with architectures = %s", o.show("model_type"), o.show("architectures"))
		}
		family = f
	}
	if family == "" {
		return "", unsupported("neither architectures nor model_type names the architecture%s", known)
	}
	return family, nil
}

// Validate reports the first value that no decoder can be built from, by its key.
func (c Config) Validate() error {
	if c.Family != Llama && c.Family != Qwen3 {
		return unsupported("model_type = %s", fileerr.Quote(c.Family))
	}
	for _, f := range []struct {
		key       string
		value, to int
	}{
		{"hidden_size", c.Width, maxWidth},
		{"num_hidden_layers", c.Layers, maxLayers},
		{"num_attention_heads", c.Heads, maxHeads},
		{"num_key_value_heads", c.KVHeads, maxHeads},
		{"head_dim", c.HeadDim, maxHeadDim},
		{"intermediate_size", c.FFN, maxFFN},
		{"vocab_size", c.Vocab, maxVocab},
		{"max_position_embeddings", c.MaxPositions, maxPositions},
		{"num_attention_heads·head_dim", c.Heads * c.HeadDim, maxQueryDim},
	} {
		if f.value < 1 || f.value > f.to {
			return fmt.Errorf("%s = %d is outside 1..%d", f.key, f.value, f.to)
		}
	}
	switch {
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("num_attention_heads = %d is no multiple of num_key_value_heads = %d", c.Heads, c.KVHeads)
	case c.HeadDim%2 != 0:
		return fmt.Errorf("head_dim = %d is odd, but rotary pairs need an even size", c.HeadDim)
	case !(c.NormEps > 0 && c.NormEps < 1):
		return fmt.Errorf("rms_norm_eps = %v is outside (0, 1)", c.NormEps)
	}
	return c.Rope.validate(c.HeadDim)
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrUnsupported)
}

// object is a JSON object. The first error of a method sticks.
type object struct {
	values map[string]json.RawMessage
	err    error
}

// has reports whether key is there and not null.
func (o *object) has(key string) bool {
	raw, ok := o.values[key]
	return ok && string(raw) != "null"
}

// show returns the value of key as an error shows it.
func (o *object) show(key string) string { return fileerr.Name(string(o.values[key])) }

// decode reads the value of key, unless it is absent or null, which leaves into as it is.
func (o *object) decode(key string, into any, what string) {
	if o.err == nil && o.has(key) && json.Unmarshal(o.values[key], into) != nil {
		o.err = fmt.Errorf("%s = %s is not %s", key, o.show(key), what)
	}
}

// number is decode for finite numbers.
func (o *object) number(key string, into *float64) { o.decode(key, into, "a number") }

// integer is decode for integers, however they are written.
func (o *object) integer(key string, into *int) {
	x := float64(*into)
	o.number(key, &x)
	if o.err != nil || !o.has(key) {
		return
	}
	if n, err := strconv.ParseInt(string(o.values[key]), 10, 0); err == nil {
		*into = int(n)
		return
	}
	if x != math.Trunc(x) || math.Abs(x) > 1<<31-1 {
		o.err = fmt.Errorf("%s = %s is not an integer of a size that is used", key, o.show(key))
		return
	}
	*into = int(x)
}
