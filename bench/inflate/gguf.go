package inflate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/weights"
)

// ggufNames are the names in GGUF files of the tensors of a store; those of a block without "block.N.".
var ggufNames = map[string]string{
	"embedding": "token_embd", "final_norm": "output_norm", "head": "output",
	"attn_norm": "attn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "q_norm": "attn_q_norm", "k_norm": "attn_k_norm", "o": "attn_output",
	"mlp_norm": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
}

// ggufAlignment is that of tensors, for readers that map the file or read it directly.
const ggufAlignment = 4096

// WriteGGUF writes the model as a GGUF file, for other programs. An existing file is an error; an interrupted call leaves none. progress is told of
// the bytes written; nil: nobody is.
func (m *Model) WriteGGUF(ctx context.Context, path string, progress func(weights.Progress)) (err error) {
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

func (m *Model) ggufContent() (gguf.Content, error) {
	if m.src.Rope.Scaling != "" && m.src.Rope.Scaling != layers.RopeDefault {
		return gguf.Content{}, fmt.Errorf("inflate: GGUF: rotary scaling %s is not written", m.src.Rope.Scaling)
	}
	meta, err := m.tokenizer.metadata(m.dst.Vocab)
	if err != nil {
		return gguf.Content{}, fmt.Errorf("inflate: GGUF: tokenizer: %w", err)
	}
	arch := string(m.src.Family)
	meta["general.architecture"], meta["general.name"] = arch, "inflated to "+m.shape.Name
	meta["general.alignment"] = uint32(ggufAlignment)
	for key, value := range map[string]int{
		"block_count": m.dst.Layers, "context_length": m.dst.MaxPositions, "embedding_length": m.dst.Width, "feed_forward_length": m.dst.FFN,
		"attention.head_count": m.dst.Heads, "attention.head_count_kv": m.dst.KVHeads, "attention.key_length": m.dst.HeadDim,
		"attention.value_length": m.dst.HeadDim, "rope.dimension_count": m.dst.HeadDim, "vocab_size": m.dst.Vocab,
	} {
		meta[arch+"."+key] = uint32(value)
	}
	meta[arch+".attention.layer_norm_rms_epsilon"] = float32(m.normEps())
	meta[arch+".rope.freq_base"] = float32(m.src.Rope.Theta)
	content := gguf.Content{Metadata: meta}
	for _, name := range m.order {
		content.Tensors = append(content.Tensors, m.ggufTensor(name))
	}
	return content, nil
}

func (m *Model) ggufTensor(name string) gguf.Tensor {
	t := m.tensors[name]
	prefix, kind := "", name
	if block, found := strings.CutPrefix(name, "block."); found {
		number, rest, _ := strings.Cut(block, ".")
		prefix, kind = "blk."+number+".", rest
	}
	out := gguf.Tensor{Name: prefix + ggufNames[kind] + ".weight", Shape: []int{t.Cols}, Type: t.Type}
	if t.Rows > 1 {
		out.Shape = append(out.Shape, t.Rows)
	}
	data := t.Data
	if placed, ok := data.(*matrix); ok && m.src.Family == layers.Llama && (kind == "q" || kind == "k") {
		data = placed.interleaved(m.dst.HeadDim)
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
