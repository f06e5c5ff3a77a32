package arch

import (
	"fmt"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// Options says how a decoder runs. The zero value is usable.
type Options struct {
	Pool     *kernels.Pool   // workers; if it is nil, the calling goroutine computes. It stays the caller's
	Context  int             // positions; 0 means all that the model was made for
	KV       tensor.DType    // of values, and of keys: F16 (also by default), Q8_0, F32, or Q4_0 with keys in Q8_0
	Vocab    int             // tokens that exist; 0 means all rows of the embedding. Logits cover only these
	Mask     int             // a token that may stand in a batch though it is none of Vocab: see [Model.MaskToken]; 0 means none
	MaxBatch int             // rows computed at once, and hidden states kept; 0 means 128
	Trace    layers.Trace    // is called after each part of a pass, unless it is nil
	Observer layers.Observer // is called before each product with a matrix, unless it is nil
	// Offloader computes products beside the CPU, unless it is nil. It stays the caller's.
	Offloader layers.Offloader
}

const (
	defaultMaxBatch = 128
	maxMaxBatch     = 1 << 14 // bounds the scratch memory
)

// withDefaults fills in the zero fields and checks the others.
func (o Options) withDefaults(m *Model) (Options, error) {
	for _, f := range []struct {
		name          string
		value         *int
		zero, maximum int
	}{
		{"context", &o.Context, m.MaxPositions, m.MaxPositions},
		{"vocabulary", &o.Vocab, m.Vocab, m.Vocab},
		{"batch", &o.MaxBatch, defaultMaxBatch, maxMaxBatch},
	} {
		if *f.value == 0 {
			*f.value = f.zero
		}
		if *f.value < 1 || *f.value > f.maximum {
			return o, fmt.Errorf("arch: a %s of %d is outside 1..%d", f.name, *f.value, f.maximum)
		}
	}
	if o.Mask < 0 || o.Mask >= m.Vocab {
		return o, fmt.Errorf("arch: mask token %d is not one of the %d of the embedding", o.Mask, m.Vocab)
	}
	return o, nil
}

// Decoder builds the decoder of the model over its weights. No weights are read yet. An error about weights or parts that do not fit wraps
// [layers.ErrWiring].
func (m *Model) Decoder(w layers.Weights, o Options) (*layers.Decoder, error) {
	parts, err := m.DecoderConfig(w, o)
	if err != nil {
		return nil, err
	}
	return layers.NewDecoder(parts)
}

// DecoderConfig returns what [layers.NewDecoder] makes the decoder of, for those who run only some of its layers.
func (m *Model) DecoderConfig(w layers.Weights, o Options) (layers.DecoderConfig, error) {
	o, err := o.withDefaults(m)
	if err != nil {
		return layers.DecoderConfig{}, err
	}
	ws := layers.NewWorkspace(w, o.Pool, o.MaxBatch)
	if o.Offloader != nil {
		ws.Offload(o.Offloader)
	}
	ws.Observe(o.Observer)
	parts, err := m.Build(ws, o)
	if err != nil {
		return layers.DecoderConfig{}, err
	}
	parts.Workspace, parts.Trace = ws, o.Trace
	return parts, nil
}
