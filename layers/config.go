package layers

import (
	"fmt"

	"github.com/lever-go/lever/internal/modelconfig"
)

// ErrUnsupported is wrapped by every error about a model that is well described but needs something this package lacks.
var ErrUnsupported = modelconfig.ErrUnsupported

// Family is a group of models that share one block structure.
type Family string

// The families that [NewDecoder] builds.
const (
	Llama Family = modelconfig.Llama // Llama 3, 3.1, 3.2 text models
	Qwen3 Family = modelconfig.Qwen3 // Qwen3 dense models: q and k are normalised per head before the rotation
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
	RopeDefault RopeScaling = modelconfig.RopeDefault
	RopeLlama3  RopeScaling = modelconfig.RopeLlama3
	RopeFactors RopeScaling = modelconfig.RopeFactors
)

// ParseConfig reads the text of a Hugging Face config.json. Keys that do not change the computation are ignored; those that ask
// for what this package lacks, or may do so, give an error that wraps [ErrUnsupported] and names key and value. Conversion into a store
// reads configurations in the same way, and refuses the same ones.
//
// rope_type is "default", "llama3" or "factors"; the last takes a list `factors` of HeadDim/2 numbers by which the
// frequencies are divided, which is how GGUF files state a scaling.
func ParseConfig(configJSON []byte) (Config, error) {
	m, err := modelconfig.Parse(configJSON)
	if err != nil {
		return Config{}, fmt.Errorf("layers: config: %w", err)
	}
	return Config{
		Family: Family(m.Family), Width: m.Width, Layers: m.Layers, Heads: m.Heads, KVHeads: m.KVHeads, HeadDim: m.HeadDim, FFN: m.FFN,
		Vocab: m.Vocab, MaxPositions: m.MaxPositions, NormEps: m.NormEps, Tied: m.Tied != nil && *m.Tied,
		Rope: Rope{
			Theta: m.Rope.Theta, Scaling: RopeScaling(m.Rope.Scaling), Factor: m.Rope.Factor, LowFreqFactor: m.Rope.LowFreqFactor,
			HighFreqFactor: m.Rope.HighFreqFactor, OriginalContext: m.Rope.OriginalContext, Factors: m.Rope.Factors,
		},
	}, nil
}

// Validate reports the first field that no decoder can be built from, by its name in config.json.
func (c Config) Validate() error {
	m := modelconfig.Config{
		Family: string(c.Family), Width: c.Width, Layers: c.Layers, Heads: c.Heads, KVHeads: c.KVHeads, HeadDim: c.HeadDim, FFN: c.FFN,
		Vocab: c.Vocab, MaxPositions: c.MaxPositions, NormEps: c.NormEps,
		Rope: modelconfig.Rope{
			Theta: c.Rope.Theta, Scaling: string(c.Rope.Scaling), Factor: c.Rope.Factor, LowFreqFactor: c.Rope.LowFreqFactor,
			HighFreqFactor: c.Rope.HighFreqFactor, OriginalContext: c.Rope.OriginalContext, Factors: c.Rope.Factors,
		},
	}
	if err := m.Validate(); err != nil {
		return fmt.Errorf("layers: config: %w", err)
	}
	return nil
}
