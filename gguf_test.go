package lever_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/internal/safetensors"
	"github.com/lever-go/lever/tensor"
)

// ggufNames are the names in GGUF files of what Hugging Face calls the parts of a layer and the tensors around the layers.
var ggufNames = map[string]string{
	"embed_tokens": "token_embd", "norm": "output_norm",
	"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
	"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
	"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
	"mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}

var hfName = regexp.MustCompile(`^model\.(?:layers\.(\d+)\.)?(.+)\.weight$`)

// writeGGUF makes a GGUF file of the Hugging Face folder dir, with matrices of type d, and returns its path.
func writeGGUF(t *testing.T, dir string, d tensor.DType) string {
	t.Helper()
	var config map[string]any
	readJSON(t, filepath.Join(dir, "config.json"), &config)
	content := gguf.Content{Metadata: ggufMetadata(t, dir, config)}
	model, err := safetensors.OpenModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	for name, source := range model.Tensors {
		parts := hfName.FindStringSubmatch(name)
		if parts == nil || ggufNames[parts[2]] == "" {
			t.Fatalf("tensor %s has no name in GGUF files", name)
		}
		target := ggufNames[parts[2]] + ".weight"
		if parts[1] != "" {
			target = "blk." + parts[1] + "." + target
		}
		raw := make([]byte, source.Size)
		if _, err := source.Data.ReadAt(raw, source.Offset); err != nil {
			t.Fatal(err)
		}
		out := gguf.Tensor{Name: target, Type: d, Shape: []int{source.Shape[len(source.Shape)-1]}}
		rows := source.Shape[0]
		if len(source.Shape) == 1 {
			out.Type, rows = tensor.F32, 1
		} else {
			out.Shape = append(out.Shape, rows)
		}
		if headDim := int(config["head_dim"].(float64)); config["model_type"] == "llama" && (parts[2] == "self_attn.q_proj" || parts[2] == "self_attn.k_proj") {
			raw = interleave(raw, rows, headDim)
		}
		values := make([]float32, rows*out.Shape[0])
		out.Data = make([]byte, out.Type.RowBytes(len(values)))
		if err := tensor.Decode(values, raw, source.Type); err != nil {
			t.Fatal(err)
		}
		if err := tensor.Encode(out.Data, values, out.Type); err != nil {
			t.Fatal(err)
		}
		content.Tensors = append(content.Tensors, out)
	}
	var file bytes.Buffer
	if err := gguf.Write(&file, content); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// interleave puts the rows of each head into the order of llama.cpp's files: one of the first half, one of the second, by turns.
func interleave(raw []byte, rows, headDim int) []byte {
	size := len(raw) / rows
	out := make([]byte, 0, len(raw))
	for row := range rows {
		head, i := row/headDim*headDim, row%headDim
		from := head + i/2 + i%2*headDim/2
		out = append(out, raw[from*size:(from+1)*size]...)
	}
	return out
}

// ggufMetadata returns the metadata of the model in the Hugging Face folder dir.
func ggufMetadata(t *testing.T, dir string, config map[string]any) map[string]any {
	t.Helper()
	var tokenizer struct {
		Added []struct {
			ID      int
			Content string
		} `json:"added_tokens"`
		Model struct {
			Vocab  map[string]int
			Merges []string
		}
	}
	var tokenizerConfig struct {
		Template string `json:"chat_template"`
	}
	readJSON(t, filepath.Join(dir, "tokenizer.json"), &tokenizer)
	readJSON(t, filepath.Join(dir, "tokenizer_config.json"), &tokenizerConfig)

	const normal, control = 1, 3
	tokens := make([]string, len(tokenizer.Model.Vocab)+len(tokenizer.Added))
	kinds := make([]int32, len(tokens))
	for text, id := range tokenizer.Model.Vocab {
		tokens[id], kinds[id] = text, normal
	}
	for _, added := range tokenizer.Added {
		tokens[added.ID], kinds[added.ID] = added.Content, control
	}
	arch := config["model_type"].(string)
	meta := map[string]any{
		"general.architecture": arch, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.tokens": tokens,
		"tokenizer.ggml.token_type": kinds, "tokenizer.ggml.merges": tokenizer.Model.Merges, "tokenizer.ggml.add_bos_token": true,
		"tokenizer.ggml.bos_token_id": uint32(config["bos_token_id"].(float64)),
		"tokenizer.ggml.eos_token_id": uint32(config["eos_token_id"].([]any)[1].(float64)),
		"tokenizer.chat_template":     tokenizerConfig.Template,
	}
	for key, name := range map[string]string{
		"block_count": "num_hidden_layers", "context_length": "max_position_embeddings", "embedding_length": "hidden_size",
		"feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads", "vocab_size": "vocab_size",
		"attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim", "attention.value_length": "head_dim",
	} {
		meta[arch+"."+key] = uint32(config[name].(float64))
	}
	for key, name := range map[string]string{"attention.layer_norm_rms_epsilon": "rms_norm_eps", "rope.freq_base": "rope_theta"} {
		meta[arch+"."+key] = float32(config[name].(float64))
	}
	return meta
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", path, err))
	}
}
