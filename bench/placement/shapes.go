package placement

import (
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/kernels/npu/profiles"
	"github.com/lever-go/lever/tensor"
)

// shape is what counts of a model.
type shape struct {
	name                  string
	layers, width, ffn    int
	heads, kvHeads, vocab int
	headDim               int
}

// Shapes of targets and of the drafts that go with them, from their published configurations.
var (
	llama1B  = shape{"Llama-3.2-1B", 16, 2048, 8192, 32, 8, 128256, 64}
	llama8B  = shape{"Llama-3.1-8B", 32, 4096, 14336, 32, 8, 128256, 128}
	qwen600M = shape{"Qwen3-0.6B", 28, 1024, 3072, 16, 8, 151936, 128}
	qwen8B   = shape{"Qwen3-8B", 36, 4096, 12288, 32, 8, 151936, 128}
	qwen14B  = shape{"Qwen3-14B", 40, 5120, 17408, 40, 8, 151936, 128}

	drafts  = []shape{llama1B, qwen600M}
	targets = []shape{llama8B, qwen8B, qwen14B}
)

// weightType is that of all weights: what fits on a phone.
const weightType = tensor.Q4_0

// blockGroups returns the bytes of the groups of projections of a block.
func (s shape) blockGroups() []int {
	q, kv := s.heads*s.headDim, s.kvHeads*s.headDim
	return []int{
		tensor.PackedBytes(weightType, q+2*kv, s.width),
		tensor.PackedBytes(weightType, s.width, q),
		tensor.PackedBytes(weightType, 2*s.ffn, s.width),
		tensor.PackedBytes(weightType, s.width, s.ffn),
	}
}

func (s shape) headBytes() int { return tensor.PackedBytes(weightType, s.vocab, s.width) }

// phone is a profile with the scheduler's view of it.
type phone struct {
	*profiles.Profile
	costs offload.Costs
}

// phones returns the built-in profiles.
func phones() (all []*phone, err error) {
	for _, name := range profiles.Names() {
		p, err := loadPhone(name)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func loadPhone(name string) (*phone, error) {
	p, err := profiles.Load(name)
	if err != nil {
		return nil, err
	}
	return &phone{p, offload.NewCosts(p.CPU, p.NPU.Costs)}, nil
}

// blocks returns the seconds of all blocks of a model, each group of projections at the given place.
func (p *phone) blocks(s shape, rows int, place offload.Place) (seconds float64) {
	for _, bytes := range s.blockGroups() {
		seconds += float64(s.layers) * p.costs.Times(weightType, bytes, rows).Of(place)
	}
	return seconds
}

// head returns the seconds of the logits of so many rows.
func (p *phone) head(s shape, rows int, place offload.Place) float64 {
	return p.costs.Times(weightType, s.headBytes(), rows).Of(place)
}

// forward returns the seconds of a pass of a draft model with the logits of all rows.
func (p *phone) forward(s shape, rows int, place offload.Place) float64 {
	return p.blocks(s, rows, place) + p.head(s, rows, place)
}
