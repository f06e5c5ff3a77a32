package weights_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"
)

// writeExample writes a GGUF file of a model with one block into a new folder, and returns both paths.
func writeExample() (dir, file string, err error) {
	const width, heads, ffn, vocab = 32, 1, 64, 40
	c := gguf.Content{Metadata: map[string]any{
		"general.architecture": "llama", "llama.block_count": uint32(1), "llama.context_length": uint32(64),
		"llama.embedding_length": uint32(width), "llama.feed_forward_length": uint32(ffn), "llama.attention.head_count": uint32(heads),
		"llama.attention.layer_norm_rms_epsilon": float32(1e-5), "tokenizer.ggml.model": "gpt2",
	}}
	for _, t := range []struct {
		name  string
		shape []int
	}{
		{"token_embd", []int{width, vocab}}, {"blk.0.attn_norm", []int{width}}, {"blk.0.attn_q", []int{width, width}},
		{"blk.0.attn_k", []int{width, width}}, {"blk.0.attn_v", []int{width, width}}, {"blk.0.attn_output", []int{width, width}},
		{"blk.0.ffn_norm", []int{width}}, {"blk.0.ffn_gate", []int{width, ffn}}, {"blk.0.ffn_up", []int{width, ffn}},
		{"blk.0.ffn_down", []int{ffn, width}}, {"output_norm", []int{width}},
	} {
		n := 1
		for _, d := range t.shape {
			n *= d
		}
		data := make([]byte, 0, 4*n)
		for i := range n {
			data, err = binary.Append(data, binary.LittleEndian, float32(i%17))
			if err != nil {
				return "", "", err
			}
		}
		c.Tensors = append(c.Tensors, gguf.Tensor{Name: t.name + ".weight", Shape: t.shape, Type: tensor.F32, Data: data})
	}
	var buf bytes.Buffer
	if err := gguf.Write(&buf, c); err != nil {
		return "", "", err
	}
	if dir, err = os.MkdirTemp("", "lever-example-"); err != nil {
		return "", "", err
	}
	file = filepath.Join(dir, "model.gguf")
	return dir, file, os.WriteFile(file, buf.Bytes(), 0o600)
}

func ExampleConvert() {
	dir, file, err := writeExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	dst := filepath.Join(dir, "model.lever")
	if err := convert.Convert(context.Background(), file, dst, weights.WriteOptions{Type: tensor.Q8_0}); err != nil {
		fmt.Println(err)
		return
	}
	info, err := weights.Inspect(dst)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range info.Tensors[:3] {
		fmt.Println(t.Name, t.Type, t.Rows, t.Cols)
	}
	// Output:
	// embedding q8_0 40 32
	// block.0.attn_norm f32 1 32
	// block.0.q q8_0 32 32
}

func ExampleStore_Stream() {
	ctx := context.Background()
	dir, file, err := writeExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	dst := filepath.Join(dir, "model.lever")
	if err := convert.Convert(ctx, file, dst, weights.WriteOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	store, err := weights.Open(ctx, dst, weights.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := store.Stream(ctx, weights.StreamOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	for part, err := range w.Parts(ctx, "block.0.up") {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(part.Type, part.Row, part.Rows, part.Cols)
	}
	tile, err := w.Tile(ctx, "embedding", 33)
	fmt.Println(tile.Row, tile.Rows, err)
	// Output:
	// q8_0 0 64 32
	// 32 8 <nil>
}

func ExampleStore_Resident() {
	ctx := context.Background()
	dir, file, err := writeExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	dst := filepath.Join(dir, "model.lever")
	if err := convert.Convert(ctx, file, dst, weights.WriteOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	store, err := weights.Open(ctx, dst, weights.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := store.Resident(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	tile, err := w.Tile(ctx, "embedding", 0)
	fmt.Println(tile.Rows, tile.Cols, err)
	// Output: 16 32 <nil>
}

func ExampleOpen() {
	_, err := weights.Open(context.Background(), "no-such.lever", weights.OpenOptions{})
	fmt.Println(errors.Is(err, os.ErrNotExist))
	// Output: true
}

func ExampleVerify() {
	ctx := context.Background()
	dir, file, err := writeExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	dst := filepath.Join(dir, "model.lever")
	if err := convert.Convert(ctx, file, dst, weights.WriteOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(weights.Verify(ctx, dst, nil))
	if err := os.WriteFile(filepath.Join(dst, "chunks", "0001.bin"), make([]byte, 4096), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(errors.Is(weights.Verify(ctx, dst, nil), weights.ErrTruncated))
	// Output:
	// <nil>
	// true
}
