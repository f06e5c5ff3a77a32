package layers

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// ErrUnsupported is wrapped by every error about a model that is well described but needs something this package lacks.
var ErrUnsupported = errors.New("unsupported")

// Family is a group of models that share one block structure.
type Family string

// The families that [NewDecoder] builds.
const (
	Llama Family = "llama" // Llama 3, 3.1, 3.2 text models
	Qwen3 Family = "qwen3" // Qwen3 dense models: q and k are normalised per head before the rotation
)

// Config describes a dense decoder-only transformer. Sizes are in elements. A Config is a plain value; [Config.Validate] says
// whether it is usable, and [ParseConfig] returns only such.
type Config struct {
	Family       Family
	Width        int // elements of a row of the residual stream (hidden_size)
	Layers       int // blocks
	Heads        int // query heads
	KVHeads      int // key and value heads; Heads is a multiple
	HeadDim      int // elements of a head, even; Heads·HeadDim need not be Width
	FFN          int // inner width of the MLP (intermediate_size)
	Vocab        int // rows of the embedding, padding included
	MaxPositions int // positions that the model was made for
	NormEps      float32
	Tied         bool // the head is the embedding
	Rope         Rope
}

// Rope describes the rotary position embedding. The zero Scaling is plain RoPE.
type Rope struct {
	Theta   float64 // base of the frequencies
	Scaling RopeScaling

	// For RopeLlama3.
	Factor          float64 // divisor of the low frequencies
	LowFreqFactor   float64 // wavelengths above OriginalContext/LowFreqFactor are divided in full
	HighFreqFactor  float64 // wavelengths below OriginalContext/HighFreqFactor are left alone
	OriginalContext int     // positions before the model was extended

	// For RopeFactors: one divisor per frequency, HeadDim/2 of them.
	Factors []float64
}

// RopeScaling names a way in which frequencies are changed to extend the context.
type RopeScaling string

// Rotary scalings, spelled as rope_type in config.json.
const (
	RopeDefault RopeScaling = "default"
	RopeLlama3  RopeScaling = "llama3"
	RopeFactors RopeScaling = "factors"
)

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

// jsonConfig holds the keys of Hugging Face's config.json that decide how a model computes.
type jsonConfig struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`

	HiddenSize            *int     `json:"hidden_size"`
	NumHiddenLayers       *int     `json:"num_hidden_layers"`
	NumAttentionHeads     *int     `json:"num_attention_heads"`
	NumKeyValueHeads      *int     `json:"num_key_value_heads"`
	HeadDim               *int     `json:"head_dim"`
	IntermediateSize      *int     `json:"intermediate_size"`
	VocabSize             *int     `json:"vocab_size"`
	MaxPositionEmbeddings *int     `json:"max_position_embeddings"`
	RMSNormEps            *float64 `json:"rms_norm_eps"`
	TieWordEmbeddings     bool     `json:"tie_word_embeddings"`

	RopeTheta      *float64  `json:"rope_theta"`
	RopeScaling    *jsonRope `json:"rope_scaling"`
	RopeParameters *jsonRope `json:"rope_parameters"`

	HiddenAct           *string         `json:"hidden_act"`
	AttentionBias       bool            `json:"attention_bias"`
	MLPBias             bool            `json:"mlp_bias"`
	SlidingWindow       json.RawMessage `json:"sliding_window"`
	UseSlidingWindow    *bool           `json:"use_sliding_window"`
	LayerTypes          []string        `json:"layer_types"`
	PartialRotaryFactor *float64        `json:"partial_rotary_factor"`
	Quantization        json.RawMessage `json:"quantization_config"`
}

// jsonRope is the value of rope_scaling, or of rope_parameters, its name in newer files.
type jsonRope struct {
	RopeType        string    `json:"rope_type"`
	Type            string    `json:"type"` // older spelling of rope_type
	Theta           *float64  `json:"rope_theta"`
	Factor          float64   `json:"factor"`
	LowFreqFactor   float64   `json:"low_freq_factor"`
	HighFreqFactor  float64   `json:"high_freq_factor"`
	OriginalContext int       `json:"original_max_position_embeddings"`
	Factors         []float64 `json:"factors"`
}

// families maps the two ways in which a config.json names an architecture.
var (
	familyOfArchitecture = map[string]Family{"LlamaForCausalLM": Llama, "Qwen3ForCausalLM": Qwen3}
	familyOfModelType    = map[string]Family{"llama": Llama, "qwen3": Qwen3}
)

// ParseConfig reads the text of a Hugging Face config.json. Keys that do not change the computation are ignored; those that ask
// for what this package lacks give an error that wraps [ErrUnsupported] and names key and value.
//
// rope_type is "default", "llama3" or "factors"; the last takes a list `factors` of HeadDim/2 numbers by which the
// frequencies are divided, which is how GGUF files state a scaling.
func ParseConfig(configJSON []byte) (Config, error) {
	var j jsonConfig
	if err := json.Unmarshal(configJSON, &j); err != nil {
		return Config{}, fmt.Errorf("layers: config: %w", err)
	}
	family, err := j.family()
	if err != nil {
		return Config{}, err
	}
	if err := j.refuse(); err != nil {
		return Config{}, err
	}
	cfg := Config{Family: family, NormEps: 1e-6, MaxPositions: 2048, Tied: j.TieWordEmbeddings}
	for _, field := range []struct {
		key   string
		value *int
		into  *int
	}{
		{"hidden_size", j.HiddenSize, &cfg.Width},
		{"num_hidden_layers", j.NumHiddenLayers, &cfg.Layers},
		{"num_attention_heads", j.NumAttentionHeads, &cfg.Heads},
		{"intermediate_size", j.IntermediateSize, &cfg.FFN},
		{"vocab_size", j.VocabSize, &cfg.Vocab},
	} {
		if field.value == nil {
			return Config{}, fmt.Errorf("layers: config: %s is missing", field.key)
		}
		*field.into = *field.value
	}
	cfg.KVHeads = cfg.Heads
	if j.NumKeyValueHeads != nil {
		cfg.KVHeads = *j.NumKeyValueHeads
	}
	switch {
	case j.HeadDim != nil:
		cfg.HeadDim = *j.HeadDim
	case cfg.Heads > 0 && cfg.Width%cfg.Heads == 0:
		cfg.HeadDim = cfg.Width / cfg.Heads
	default:
		return Config{}, fmt.Errorf("layers: config: head_dim is missing, and hidden_size %d is no multiple of num_attention_heads %d", cfg.Width, cfg.Heads)
	}
	if j.MaxPositionEmbeddings != nil {
		cfg.MaxPositions = *j.MaxPositionEmbeddings
	}
	if j.RMSNormEps != nil {
		cfg.NormEps = float32(*j.RMSNormEps)
	}
	if cfg.Rope, err = j.rope(); err != nil {
		return Config{}, err
	}
	if err := cfg.Validate(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

func unsupported(key string, value any) error {
	return fmt.Errorf("layers: config: %w: %s = %v", ErrUnsupported, key, value)
}

// family finds the family by architectures and model_type; where both are present they must agree.
func (j *jsonConfig) family() (Family, error) {
	var family Family
	for _, name := range j.Architectures {
		f, ok := familyOfArchitecture[name]
		if !ok || (family != "" && f != family) {
			return "", unsupported("architectures", fmt.Sprintf("%q", j.Architectures))
		}
		family = f
	}
	if j.ModelType != "" {
		f, ok := familyOfModelType[j.ModelType]
		if !ok || (family != "" && f != family) {
			return "", unsupported("model_type", fmt.Sprintf("%q", j.ModelType))
		}
		family = f
	}
	if family == "" {
		return "", errors.New("layers: config: neither architectures nor model_type names the architecture")
	}
	return family, nil
}

// refuse reports the first key that asks for a computation that this package lacks.
func (j *jsonConfig) refuse() error {
	present := func(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }
	switch {
	case j.HiddenAct != nil && *j.HiddenAct != "silu":
		return unsupported("hidden_act", fmt.Sprintf("%q", *j.HiddenAct))
	case j.AttentionBias:
		return unsupported("attention_bias", true)
	case j.MLPBias:
		return unsupported("mlp_bias", true)
	case j.UseSlidingWindow != nil && *j.UseSlidingWindow:
		return unsupported("use_sliding_window", true)
	case j.UseSlidingWindow == nil && present(j.SlidingWindow):
		return unsupported("sliding_window", string(j.SlidingWindow))
	case j.PartialRotaryFactor != nil && *j.PartialRotaryFactor != 1:
		return unsupported("partial_rotary_factor", *j.PartialRotaryFactor)
	case present(j.Quantization):
		return unsupported("quantization_config", string(j.Quantization))
	}
	for _, t := range j.LayerTypes {
		if t != "full_attention" {
			return unsupported("layer_types", fmt.Sprintf("%q", t))
		}
	}
	return nil
}

func (j *jsonConfig) rope() (Rope, error) {
	rope := Rope{Theta: 10000, Scaling: RopeDefault}
	if j.RopeTheta != nil {
		rope.Theta = *j.RopeTheta
	}
	s := j.RopeParameters
	if s == nil {
		s = j.RopeScaling
	}
	if s == nil {
		return rope, nil
	}
	if s.Theta != nil {
		rope.Theta = *s.Theta
	}
	kind := s.RopeType
	if kind == "" {
		kind = s.Type
	}
	switch RopeScaling(kind) {
	case "", RopeDefault:
	case RopeLlama3:
		rope.Scaling = RopeLlama3
		rope.Factor, rope.LowFreqFactor, rope.HighFreqFactor, rope.OriginalContext = s.Factor, s.LowFreqFactor, s.HighFreqFactor, s.OriginalContext
	case RopeFactors:
		rope.Scaling, rope.Factors = RopeFactors, s.Factors
	default:
		return Rope{}, unsupported("rope_type", fmt.Sprintf("%q", kind))
	}
	return rope, nil
}

// Validate reports the first field that no decoder can be built from, by its name in config.json.
func (c Config) Validate() error {
	if c.Family != Llama && c.Family != Qwen3 {
		return unsupported("model_type", fmt.Sprintf("%q", c.Family))
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
			return fmt.Errorf("layers: config: %s = %d is outside 1..%d", f.key, f.value, f.to)
		}
	}
	switch {
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("layers: config: num_attention_heads = %d is no multiple of num_key_value_heads = %d", c.Heads, c.KVHeads)
	case c.HeadDim%2 != 0:
		return fmt.Errorf("layers: config: head_dim = %d is odd, but rotary pairs need an even size", c.HeadDim)
	case !(c.NormEps > 0 && c.NormEps < 1):
		return fmt.Errorf("layers: config: rms_norm_eps = %v is outside (0, 1)", c.NormEps)
	}
	return c.Rope.validate(c.HeadDim)
}

func (r Rope) validate(headDim int) error {
	if !(r.Theta >= 1) || math.IsInf(r.Theta, 0) {
		return fmt.Errorf("layers: config: rope_theta = %v is not a number from 1 on", r.Theta)
	}
	switch r.Scaling {
	case "", RopeDefault:
	case RopeLlama3:
		switch {
		case !(r.Factor >= 1) || math.IsInf(r.Factor, 0):
			return fmt.Errorf("layers: config: rope_scaling: factor = %v is not a number from 1 on", r.Factor)
		case !(r.LowFreqFactor > 0 && r.HighFreqFactor > r.LowFreqFactor) || math.IsInf(r.HighFreqFactor, 0):
			return fmt.Errorf("layers: config: rope_scaling: needs 0 < low_freq_factor = %v < high_freq_factor = %v", r.LowFreqFactor, r.HighFreqFactor)
		case r.OriginalContext < 1 || r.OriginalContext > maxPositions:
			return fmt.Errorf("layers: config: rope_scaling: original_max_position_embeddings = %d is outside 1..%d", r.OriginalContext, maxPositions)
		}
	case RopeFactors:
		if len(r.Factors) != headDim/2 {
			return fmt.Errorf("layers: config: rope_scaling: %d factors, but head_dim = %d has %d frequencies", len(r.Factors), headDim, headDim/2)
		}
		for i, f := range r.Factors {
			if !(f > 0) || math.IsInf(f, 0) {
				return fmt.Errorf("layers: config: rope_scaling: factors[%d] = %v is not positive", i, f)
			}
		}
	default:
		return unsupported("rope_type", fmt.Sprintf("%q", r.Scaling))
	}
	return nil
}
