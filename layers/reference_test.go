package layers_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/safetensors"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// storeNames maps the endings of Hugging Face's tensor names to ours.
var storeNames = map[string]string{
	"input_layernorm": "attn_norm", "post_attention_layernorm": "mlp_norm",
	"self_attn.q_proj": "q", "self_attn.k_proj": "k", "self_attn.v_proj": "v", "self_attn.o_proj": "o",
	"self_attn.q_norm": "q_norm", "self_attn.k_norm": "k_norm",
	"mlp.gate_proj": "gate", "mlp.up_proj": "up", "mlp.down_proj": "down",
}

var blockTensor = regexp.MustCompile(`^model\.layers\.(\d+)\.(.+)\.weight$`)

// loadModel reads the configuration and, as F16, the weights of a Hugging Face folder. worst is the largest change of a weight.
func loadModel(t testing.TB, dir string) (cfg arch.Transformer, m *layers.Memory, worst float64) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := arch.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	cfg = *parsed.Config.(*arch.Transformer)
	model, err := safetensors.OpenModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	m = &layers.Memory{}
	for hfName, info := range model.Tensors {
		raw := make([]byte, info.Size)
		if _, err := info.Data.ReadAt(raw, info.Offset); err != nil {
			t.Fatal(err)
		}
		values := make([]float32, int(info.Size)/info.Type.BlockBytes())
		if err := tensor.Decode(values, raw, info.Type); err != nil {
			t.Fatal(err)
		}
		name := map[string]string{"model.embed_tokens.weight": "embedding", "model.norm.weight": "final_norm", "lm_head.weight": "head"}[hfName]
		if match := blockTensor.FindStringSubmatch(hfName); match != nil {
			name = "block." + match[1] + "." + storeNames[match[2]]
		}
		d, rows := tensor.F32, 1
		if len(info.Shape) == 2 {
			d, rows = tensor.F16, int(info.Shape[0])
			for _, v := range values {
				worst = max(worst, math.Abs(float64(v-tensor.F16ToF32(tensor.F32ToF16(v)))))
			}
		}
		if err := m.SetMatrix(name, d, rows, len(values)/rows, values); err != nil {
			t.Fatalf("%s: %v", hfName, err)
		}
	}
	return cfg, m, worst
}

// referenceCase is one input of reference.json, with what PyTorch made of it in float32.
type referenceCase struct {
	Prompt    string       `json:"prompt"`
	IDs       []int32      `json:"ids"`
	MeanNLL   float64      `json:"mean_nll"`
	TopLogits [][2]float64 `json:"top_logits"`
	First8    []float64    `json:"logits_first8"`
	Greedy    []int32      `json:"greedy"`
	GreedyGap []float64    `json:"greedy_gap"`
}

func TestReferenceModels(t *testing.T) {
	pool := kernels.NewPool(0)
	defer pool.Close()
	for _, name := range []string{"lever-tiny-llama/target", "lever-tiny-llama/draft", "qwen3-random"} {
		t.Run(name, func(t *testing.T) {
			dir := testdata.Shared(t, "models/"+name)
			cfg, w, worst := loadModel(t, dir)
			text, err := os.ReadFile(filepath.Join(dir, "reference.json"))
			if err != nil {
				t.Fatal(err)
			}
			var reference struct{ Cases []referenceCase }
			if err := json.Unmarshal(text, &reference); err != nil {
				t.Fatal(err)
			}
			if testing.Short() {
				last := reference.Cases[len(reference.Cases)-1]
				last.Greedy = last.Greedy[:8]
				reference.Cases = []referenceCase{last}
			}
			t.Logf("weights: BF16 to F16 changes them by at most %.2g", worst)
			for _, c := range []struct {
				kv               tensor.DType
				logitTol, nllTol float64
			}{{tensor.F32, 2e-3, 1e-4}, {tensor.F16, 2e-2, 1e-3}} {
				d := newDecoder(t, cfg, w, arch.Options{Pool: pool, KV: c.kv, MaxBatch: 64})
				var logitErr, nllErr float64
				equal, steps := 0, 0
				for _, rc := range reference.Cases {
					l, n := compareLogits(t, d, rc)
					logitErr, nllErr = max(logitErr, l), max(nllErr, n)
					if c.kv == tensor.F32 {
						equal += compareGreedy(t, d, rc)
						steps += len(rc.Greedy)
					}
				}
				t.Logf("KV %v: logits within %.2g, mean NLL within %.2g", c.kv, logitErr, nllErr)
				if steps > 0 {
					t.Logf("KV %v: greedy tokens equal in %d of %d steps", c.kv, equal, steps)
				}
				if logitErr > c.logitTol || nllErr > c.nllTol {
					t.Errorf("KV %v: logits off by %.2g (allowed %.2g), mean NLL by %.2g (allowed %.2g)", c.kv, logitErr, c.logitTol, nllErr, c.nllTol)
				}
			}
		})
	}
}

// compareLogits makes the input the text of d and returns the largest errors of the last logits and of the mean NLL.
func compareLogits(t *testing.T, d *layers.Decoder, rc referenceCase) (logitErr, nllErr float64) {
	t.Helper()
	truncate(t, d, 0)
	var nll float64
	var last []float32
	i := 1 // the token that the logits at hand predict
	for piece := range slices.Chunk(rc.IDs, 64) {
		first := forward(t, d, piece, nil)
		rows := make([]int, len(piece))
		for j := range rows {
			rows[j] = first + j
		}
		out := make([]float32, len(rows)*d.Vocab())
		if err := d.Project(ctx, out, rows); err != nil {
			t.Fatal(err)
		}
		for last = range slices.Chunk(out, d.Vocab()) {
			if i < len(rc.IDs) {
				nll -= logProb(last, rc.IDs[i])
			}
			i++
		}
		commit(t, d, rows...)
	}
	for _, top := range rc.TopLogits {
		logitErr = max(logitErr, math.Abs(float64(last[int(top[0])])-top[1]))
	}
	for i, want := range rc.First8 {
		logitErr = max(logitErr, math.Abs(float64(last[i])-want))
	}
	return logitErr, math.Abs(nll/float64(len(rc.IDs)-1) - rc.MeanNLL)
}

// compareGreedy decodes greedily after the input, whose KV the decoder holds, and returns how many tokens are equal before the first
// that differs. A difference is an error unless the reference was undecided there or before.
func compareGreedy(t *testing.T, d *layers.Decoder, rc referenceCase) (equal int) {
	t.Helper()
	truncate(t, d, len(rc.IDs)-1)
	next := rc.IDs[len(rc.IDs)-1]
	for i, want := range rc.Greedy {
		forward(t, d, []int32{next}, nil)
		next = argmax(logits(t, d, 0))
		commit(t, d, 0)
		if next != want {
			if !slices.ContainsFunc(rc.GreedyGap[:i+1], func(gap float64) bool { return gap < 0.01 }) {
				t.Errorf("%.20q: greedy token %d is %d, want %d", rc.Prompt, i, next, want)
			}
			return i
		}
	}
	return len(rc.Greedy)
}
