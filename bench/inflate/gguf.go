package inflate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/weights"
)

// ggufAlignment is that of tensors, for readers that map the file or read it directly.
const ggufAlignment = 4096

// WriteGGUF writes the model as a GGUF file, for other programs. An existing file is an error; an interrupted call leaves none. progress is told of
// the bytes written, if it is not nil.
func (m *Inflation) WriteGGUF(ctx context.Context, path string, progress func(weights.Progress)) (err error) {
	content, err := m.ggufContent()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("inflate: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	out := &meteredWriter{ctx: ctx, out: f, total: m.Bytes(), report: progress}
	if err := gguf.Write(out, content); err != nil {
		return fmt.Errorf("inflate: %s: %w", path, err)
	}
	return f.Sync()
}

func (m *Inflation) ggufContent() (gguf.Content, error) {
	if m.src.Rope.Scaling != "" && m.src.Rope.Scaling != layers.RopeDefault {
		return gguf.Content{}, fmt.Errorf("inflate: GGUF: rotary scaling %s is not written", m.src.Rope.Scaling)
	}
	meta, err := m.tokenizer.metadata(m.dst.Vocab)
	if err != nil {
		return gguf.Content{}, fmt.Errorf("inflate: GGUF: tokenizer: %w", err)
	}
	kind := m.architecture.GGUF
	if kind == "" {
		return gguf.Content{}, fmt.Errorf("inflate: GGUF: models of architecture %s are not kept in such files", m.architecture.Name)
	}
	meta["general.architecture"], meta["general.name"] = kind, "inflated to "+m.shape.Name
	meta["general.alignment"] = uint32(ggufAlignment)
	for key, value := range map[string]int{
		"block_count": m.dst.Layers, "context_length": m.dst.MaxPositions, "embedding_length": m.dst.Width, "feed_forward_length": m.dst.FFN,
		"attention.head_count": m.dst.Heads, "attention.head_count_kv": m.dst.KVHeads, "attention.key_length": m.dst.HeadDim,
		"attention.value_length": m.dst.HeadDim, "rope.dimension_count": m.dst.HeadDim, "vocab_size": m.dst.Vocab,
	} {
		meta[kind+"."+key] = uint32(value)
	}
	meta[kind+".attention.layer_norm_rms_epsilon"] = float32(m.normEps())
	meta[kind+".rope.freq_base"] = float32(m.src.Rope.Theta)
	if m.dst.Experts > 0 {
		config := m.sparseConfig()
		for key, in := range m.architecture.GGUFKeys {
			switch value := config[in].(type) {
			case int:
				meta[kind+"."+key] = uint32(value)
			case float64:
				meta[kind+"."+key] = float32(value)
			}
		}
	}
	return gguf.Content{Metadata: meta, Tensors: m.ggufTensors()}, nil
}

// ggufTensors returns all tensors. Those of the experts of a block are joined to one of three dimensions for each kind.
func (m *Inflation) ggufTensors() (tensors []gguf.Tensor) {
	joined := map[string][]io.Reader{}
	for _, name := range m.order {
		t, expert := m.ggufTensor(name), m.tensors[name].Expert != ""
		if parts := append(joined[t.Name], t.Source); expert {
			if joined[t.Name] = parts; len(parts) > 1 {
				continue
			}
			t.Shape = append(t.Shape, m.dst.Experts)
		}
		tensors = append(tensors, t)
	}
	for i, t := range tensors {
		if parts := joined[t.Name]; parts != nil {
			tensors[i].Source = io.MultiReader(parts...)
		}
	}
	return tensors
}

func (m *Inflation) ggufTensor(name string) gguf.Tensor {
	t := m.tensors[name]
	file := m.files[name]
	out := gguf.Tensor{Name: file.GGUF, Shape: []int{t.Cols}, Type: t.Type}
	if t.Rows > 1 {
		out.Shape = append(out.Shape, t.Rows)
	}
	data := t.Data
	if placed, ok := data.(*matrix); ok && file.GGUFHeadDim > 0 {
		data = placed.interleaved(file.GGUFHeadDim)
	}
	out.Source = io.NewSectionReader(data, 0, int64(t.Rows)*int64(t.Type.RowBytes(t.Cols)))
	return out
}

// interleaved returns the matrix with the rows of each head in the order of GGUF files of Llama: one of the first half, one of the second, by turns.
func (m *matrix) interleaved(headDim int) *matrix {
	if m.rowOf == nil {
		return m
	}
	other := *m
	other.rowOf = make([]int32, len(m.rowOf))
	for r := range other.rowOf {
		head, i := r/headDim*headDim, r%headDim
		other.rowOf[r] = m.rowOf[head+i/2+i%2*headDim/2]
	}
	return &other
}

// meteredWriter stops when ctx is cancelled, and reports what has been written.
type meteredWriter struct {
	ctx         context.Context
	out         io.Writer
	done, total int64
	report      func(weights.Progress)
}

func (w *meteredWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.out.Write(p)
	w.done += int64(n)
	if w.report != nil {
		w.report(weights.Progress{Done: min(w.done, w.total), Total: w.total})
	}
	return n, err
}
