package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/spec/gaincost"
)

// Phone is a phone: its flash, its memory, and its processors.
type Phone struct {
	Name   string
	Flash  string  // profile of package weights
	Memory float64 // bytes/s that computing a row reads weights at
	CPU    float64 // multiply-accumulates/s with many rows
	// Bound says that its flash reads as fast as its makers say at best, rather than as was measured. Means over phones leave it out.
	Bound bool
	// NPU is the same for the target's blocks where they run on an NPU, with batches padded to NPURows; if zero, they run on the CPU.
	NPU float64
}

// NPURows are the batches that programs of an NPU are compiled for.
var NPURows = []int{1, 8, 16, 32, 64, 128}

// Phones are phones of three classes, the best with and without its NPU, and with the flash that it would have at best. Flash is that of the built-in profiles. Rates are estimates around public
// figures: 4.5 to 5.1 tokens/s decoding 8 to 12 billion parameters in 4 bits on the CPU of recent Snapdragons (30 GB/s); 85 tokens/s prompt on the
// CPU of a Snapdragon X Elite and 720 on its NPU for 8 billion (0.7 and 5.8 · 10^12 multiply-accumulates/s), 80 of a 4-billion model on the NPU of a
// Snapdragon 8 Gen 3 with a general driver (0.3 · 10^12).
var Phones = []Phone{
	{Name: "UFS 4 measured, NPU", Flash: "ufs-4-measured", Memory: 30e9, CPU: 0.4e12, NPU: 2.5e12},
	{Name: "UFS 4 measured, CPU", Flash: "ufs-4-measured", Memory: 30e9, CPU: 0.4e12},
	{Name: "UFS 4 at best, NPU", Flash: "ufs-4.0", Memory: 30e9, CPU: 0.4e12, NPU: 2.5e12, Bound: true},
	{Name: "UFS 3.1, NPU", Flash: "ufs-3.1", Memory: 25e9, CPU: 0.3e12, NPU: 1.5e12},
	{Name: "mid-range, CPU", Flash: "mid-range", Memory: 15e9, CPU: 0.2e12},
}

// Target is a pair of models by their sizes, of which a part of the target stays in memory.
type Target struct {
	Name, Draft string  // shapes of package inflate
	InMemory    float64 // part of the target's weights
}

// Targets are the models of the paper, each with a quarter in memory.
var Targets = []Target{
	{"llama-3.1-8b", "llama-3.2-1b", 0.25}, {"qwen3-8b", "qwen3-0.6b", 0.25}, {"qwen3-14b", "qwen3-0.6b", 0.25},
}

// Bytes of a weight in Q4_0, and in Q8_0 for the output matrix.
const (
	q4Bytes = 18.0 / 32
	q8Bytes = 34.0 / 32
)

// size returns the weights of the blocks and of the output matrix.
func size(s inflate.Shape) (blocks, head float64) {
	query, kv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	block := s.Width*(2*query+2*kv) + 3*s.Width*s.FFN
	return float64(block) * float64(s.Layers), float64(s.Width) * float64(s.Vocab)
}

// hardware is a phone that runs a pair: times in seconds.
type hardware struct {
	layers  int
	read    []sampled // of a layer, by what is drawn
	ring    int       // layers
	compute gaincost.Curve
	draft   gaincost.Curve
	project float64
	// stall, if its chance is above 0, makes the read of a layer so much longer.
	stall, stallChance float64

	experts *experts // nil if there are none
	// conversations share each pass, all with trees alike; if zero, one has it alone.
	conversations int
}

// together returns how many conversations share a pass.
func (h *hardware) together() int { return max(1, h.conversations) }

// sampled is a time of reading a layer, with a part of all draws up to which it counts.
type sampled struct{ upTo, seconds float64 }

// on returns how d runs t.
func (t Target) on(d Phone) (*hardware, error) {
	flash, err := flashsim.Load(d.Flash)
	if err != nil {
		return nil, err
	}
	return t.onFlash(d, flash)
}

// shapes returns those of both models.
func (t Target) shapes() (target, draft inflate.Shape, err error) {
	if target, err = inflate.ShapeOf(t.Name); err == nil {
		draft, err = inflate.ShapeOf(t.Draft)
	}
	return target, draft, err
}

// onFlash is on with another flash device.
func (t Target) onFlash(d Phone, flash *flashsim.Profile) (*hardware, error) {
	target, draft, err := t.shapes()
	if err != nil {
		return nil, err
	}
	blocks, head := size(target)
	draftBlocks, draftHead := size(draft)
	all := blocks*q4Bytes + head*q8Bytes
	streamed := (all - t.InMemory*all) / float64(target.Layers) // of a layer: the head stays in memory, and of the blocks what is left
	if t.InMemory*all < head*q8Bytes {
		return nil, fmt.Errorf("simulate: %s: %.0f%% in memory do not hold the head", t.Name, 100*t.InMemory)
	}
	h := &hardware{layers: target.Layers, ring: 2, project: head * q8Bytes / d.Memory}
	h.read = reads(flash, streamed, readBytes)
	if streamed == 0 {
		h.read = []sampled{{1, 0}}
	}
	h.compute = d.curve(blocks, blocks*q4Bytes, d.NPU)
	h.draft = d.curve(draftBlocks+draftHead, draftBlocks*q4Bytes+draftHead*q8Bytes, 0)
	return h, nil
}

// readBytes is the size of one read.
const readBytes = 2 << 20

// reads returns the distribution of the time to read bytes at the flash's best rate, each of so many in one read: several are under way at once, and
// all have arrived when the one has that is latest by the profile's delays.
func reads(f *flashsim.Profile, bytes, each float64) []sampled {
	best := 0.0
	for _, row := range f.BytesPerSecond {
		best = max(best, slices.Max(row))
	}
	n := max(1, bytes/each)
	list := []sampled{}
	for i := 1; i < len(f.Delays); i++ {
		a, b := f.Delays[i-1], f.Delays[i]
		late := (a.Seconds + b.Seconds) / 2
		list = append(list, sampled{power(b.Quantile, n), bytes/best + late})
	}
	if len(list) == 0 {
		list = append(list, sampled{1, bytes / best})
	}
	return list
}

// power returns x to the n for a probability.
func power(x, n float64) float64 {
	p := 1.0
	for ; n >= 1; n-- {
		p *= x
	}
	return p
}

// draw returns the time of a read.
func (h *hardware) draw(random *rand.Rand) float64 {
	u := random.Float64()
	i, _ := slices.BinarySearchFunc(h.read, u, func(s sampled, u float64) int {
		if s.upTo < u {
			return -1
		}
		return 1
	})
	seconds := h.read[min(i, len(h.read)-1)].seconds
	if h.stallChance > 0 && random.Float64() < h.stallChance {
		seconds += h.stall
	}
	return seconds
}

// curve returns the time of n rows of products with so many weights and bytes: the longer of reading them from memory and of multiplying.
func (d Phone) curve(count, bytes, npu float64) gaincost.Curve {
	rate, rows := d.CPU, []int{1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128}
	if npu > 0 {
		rate, rows = npu, NPURows
	}
	c := gaincost.Curve{Padded: npu > 0}
	for _, n := range rows {
		c.Points = append(c.Points, gaincost.Point{Rows: n, Seconds: max(bytes/d.Memory, float64(n)*count/rate)})
	}
	return c
}
