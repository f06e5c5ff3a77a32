package convert

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

const (
	archKey         = "general.architecture"
	tokenizerKey    = "tokenizer.ggml.model"
	ropeFreqsTensor = "rope_freqs.weight"
	ropeShortTensor = "rope_factors_short.weight"
	ropeLongTensor  = "rope_factors_long.weight"
	tokenizerGGUF   = "tokenizer.gguf"
)

// openGGUF opens a GGUF file, or the first of the files that a model was split into.
func openGGUF(path string, own []*arch.Architecture) (*source, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, fromParser(err)
	}
	files, err := openParts(path, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	s := &source{close: func() error { return gguf.CloseAll(files) }}
	if err := s.describeGGUF(path, files, own); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// CheckGGUF returns the error with which [Convert] would refuse the GGUF file of size bytes that data holds, as far as its first part says so:
// metadata, names and shapes of tensors. Weights are not read, nor the other files of a model that was split. name stands for the file in
// errors; checkTokenizer is as in [weights.WriteOptions].
func CheckGGUF(data io.ReaderAt, size int64, name string, checkTokenizer func(fs.FS) error, own ...*arch.Architecture) error {
	f, err := gguf.Read(data, size)
	if err != nil {
		return fromParser(fmt.Errorf("%s: %w", name, err))
	}
	if _, count, err := partOf(name, f); err != nil || count > 1 {
		return err
	}
	s := &source{close: f.Close}
	if err := s.describeGGUF(name, []*gguf.File{f}, own); err != nil {
		return err
	}
	_, err = s.model.Describe(name, weights.WriteOptions{CheckTokenizer: checkTokenizer})
	return err
}

// describeGGUF describes the model of which files, the first at path, are all files.
func (s *source) describeGGUF(path string, files []*gguf.File, own []*arch.Architecture) error {
	f, paths := files[0], []string{path}
	if len(files) > 1 {
		paths = gguf.Parts(path)
	}
	found := map[string]sourceTensor{}
	for i, part := range files {
		for _, t := range part.Tensors {
			if _, twice := found[t.Name]; twice {
				return badSource(weights.ErrCorrupt, paths[i], t.Name, "is in another part too")
			}
			shape := slices.Clone(t.Shape)
			slices.Reverse(shape)
			rows, cols := matrixShape(shape)
			found[t.Name] = sourceTensor{name: t.Name, file: paths[i], dtype: t.Type, rows: rows, cols: cols, data: part.Section(t)}
		}
	}
	_, hasHead := found["output.weight"]
	var err error
	if s.model.Config, err = configFromGGUF(path, f.Metadata, found, !hasHead, own); err != nil {
		return err
	}
	m, err := parse(s.model.Config, path, own)
	if err != nil {
		return err
	}
	ignored := func(name string) bool {
		isPart := name == ropeFreqsTensor || name == ropeShortTensor || name == ropeLongTensor // of the configuration
		return isPart || slices.ContainsFunc(m.Unused, func(t arch.Tensor) bool { return t.GGUF == name })
	}
	if err := s.resolve(m, !hasHead, found, path, func(t arch.Tensor) (string, int) { return t.GGUF, t.GGUFRow }, ignored); err != nil {
		return err
	}
	for _, step := range m.Steps {
		for _, want := range step {
			if t := s.model.Tensors[want.Name]; want.GGUFHeadDim > 0 {
				t.Data = interleaved{t.Data, t.Type.RowBytes(t.Cols), want.GGUFHeadDim}
				s.model.Tensors[want.Name] = t
			}
		}
	}
	if _, ok := f.Metadata[tokenizerKey]; !ok {
		return badSource(weights.ErrUnsupported, path, "", "it has no tokenizer (metadata key %s is missing): some files leave it to another one. "+
			"Convert a GGUF file that has it, or the model's Hugging Face folder with its tokenizer.json", tokenizerKey)
	}
	s.model.Tokenizer, err = tokenizerFromGGUF(f.Metadata)
	return err
}

// tokenizerFromGGUF keeps the metadata that a tokenizer reads, as a GGUF file without tensors.
func tokenizerFromGGUF(meta map[string]any) (map[string][]byte, error) {
	keep := map[string]any{archKey: meta[archKey]}
	for key, value := range meta {
		if strings.HasPrefix(key, "tokenizer.") {
			keep[key] = value
		}
	}
	var buf bytes.Buffer
	if err := gguf.Write(&buf, gguf.Content{Metadata: keep}); err != nil {
		return nil, fmt.Errorf("convert: %s: %w", tokenizerGGUF, err)
	}
	return map[string][]byte{tokenizerGGUF: buf.Bytes()}, nil
}

// metadata gives typed access to the keys of one architecture. The first error sticks.
type metadata struct {
	values map[string]any
	prefix string
	path   string
	err    error
}

// integer returns the integer at key; absent means the given default, or an error where that is negative.
func (m *metadata) integer(key string, absent int64) int64 {
	value, ok := m.values[m.prefix+key]
	if !ok && absent >= 0 {
		return absent
	}
	n := int64(-1)
	switch v := value.(type) {
	case uint8:
		n = int64(v)
	case uint16:
		n = int64(v)
	case uint32:
		n = int64(v)
	case uint64:
		n = int64(min(v, math.MaxInt64))
	case int32:
		n = int64(v)
	case int64:
		n = v
	}
	if n < 0 {
		m.fail(key, value, "a count")
	}
	return n
}

// perLayer returns the integer at key, where a list for each layer may stand if all are the same. Those that are 0 may differ if the architecture has
// the list itself among its keys, and all may if it has it among its lists.
func (m *metadata) perLayer(key string, absent int64, a *arch.Architecture) int64 {
	list, ok := m.values[m.prefix+key].([]int32)
	if !ok || len(list) == 0 {
		return m.integer(key, absent)
	}
	n := slices.Max(list)
	if _, ok := a.GGUFLists[key]; ok {
		return int64(n)
	}
	_, zeros := a.GGUFKeys[key]
	differs := func(x int32) bool { return x != n && (x != 0 || !zeros) }
	if m.err == nil && (n < 1 || slices.ContainsFunc(list, differs)) {
		m.err = badSource(weights.ErrUnsupported, m.path, "", "metadata key %s%s = %s, not the same for each layer", m.prefix, key, fileerr.Name(fmt.Sprint(list)))
	}
	return int64(n)
}

// number returns the number at key; absent means the given default, or an error where that is negative.
func (m *metadata) number(key string, absent float32) float32 {
	value, ok := m.values[m.prefix+key]
	if !ok && absent >= 0 {
		return absent
	}
	x, ok := value.(float32)
	if !ok || !(x > 0 && x <= math.MaxFloat32) {
		m.fail(key, value, "a positive number")
	}
	return x
}

func (m *metadata) text(key string) string {
	value, ok := m.values[m.prefix+key]
	if !ok {
		return ""
	}
	s, ok := value.(string)
	if !ok {
		m.fail(key, value, "a text")
	}
	return s
}

func (m *metadata) fail(key string, value any, want string) {
	if m.err != nil {
		return
	}
	if value == nil {
		m.err = badSource(weights.ErrCorrupt, m.path, "", "metadata key %s%s is missing", m.prefix, key)
		return
	}
	m.err = badSource(weights.ErrCorrupt, m.path, "", "metadata key %s%s is %s, not %s", m.prefix, key, fileerr.Name(fmt.Sprint(value)), want)
}

// configFromGGUF translates metadata into the vocabulary of config.json.
func configFromGGUF(path string, meta map[string]any, found map[string]sourceTensor, tied bool, own []*arch.Architecture) ([]byte, error) {
	general := &metadata{values: meta, path: path}
	kind, _ := meta[archKey].(string)
	all := slices.DeleteFunc(arch.All(own...), func(a *arch.Architecture) bool { return a.GGUF == "" })
	i := slices.IndexFunc(all, func(a *arch.Architecture) bool { return a.GGUF == kind })
	if i < 0 {
		var known []string
		for _, a := range all {
			known = append(known, a.GGUF)
		}
		return nil, badSource(weights.ErrUnsupported, path, "", "architecture %s; known are %s", fileerr.Quote(kind), strings.Join(known, ", "))
	}
	embedding, ok := found["token_embd.weight"]
	if !ok {
		return nil, badSource(weights.ErrCorrupt, path, "token_embd.weight", "is missing")
	}
	m := &metadata{values: meta, prefix: kind + ".", path: path}
	heads := m.integer("attention.head_count", -1)
	hidden := m.integer("embedding_length", -1)
	headDim := m.integer("attention.key_length", hidden/max(heads, 1))
	config := map[string]any{
		"architectures":           []string{all[i].Class},
		"model_type":              all[i].Name,
		"hidden_size":             hidden,
		"intermediate_size":       m.perLayer("feed_forward_length", -1, all[i]),
		"num_hidden_layers":       m.integer("block_count", -1),
		"num_attention_heads":     heads,
		"num_key_value_heads":     m.perLayer("attention.head_count_kv", heads, all[i]),
		"head_dim":                headDim,
		"vocab_size":              m.integer("vocab_size", int64(embedding.rows)),
		"max_position_embeddings": m.integer("context_length", -1),
		"rms_norm_eps":            m.number("attention.layer_norm_rms_epsilon", -1),
		"rope_theta":              m.number("rope.freq_base", 10000),
		"rope_scaling":            m.ropeScaling(),
		"tie_word_embeddings":     tied,
		"hidden_act":              "silu",
		"attention_bias":          false,
		"mlp_bias":                false,
	}
	if n := m.integer("attention.value_length", headDim); n != headDim && m.err == nil {
		return nil, badSource(weights.ErrUnsupported, path, "", "metadata key %sattention.value_length is %d with heads of %d", m.prefix, n, headDim)
	}
	if n := m.integer("rope.dimension_count", headDim); n != headDim {
		config["partial_rotary_factor"] = float64(n) / float64(headDim)
	}
	for key, to := range all[i].GGUFKeys {
		if value, ok := meta[m.prefix+key]; ok {
			config[to] = value
		}
	}
	for key, to := range all[i].GGUFLists {
		if list, ok := meta[m.prefix+key].([]int32); ok && len(list) > 0 {
			config[to] = list
		}
	}
	if all[i].FromGGUF != nil {
		all[i].FromGGUF(config, func(name string) bool { _, ok := found[name]; return ok })
	}
	m.refuseOthers(all[i].GGUFKeys)
	for _, key := range []string{"bos_token_id", "eos_token_id"} {
		if _, ok := meta["tokenizer.ggml."+key]; ok {
			config[key] = general.integer("tokenizer.ggml."+key, -1)
		}
	}
	if err := cmp.Or(m.err, general.err); err != nil {
		return nil, err
	}
	if err := ropeTensors(config, m, int(m.integer("rope.dimension_count", headDim)), found); err != nil {
		return nil, err
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, badSource(weights.ErrCorrupt, path, "", "metadata: %v", err) // a number that is none
	}
	return text, nil
}

// known are the keys of an architecture that are read, or change nothing.
var known = []string{
	"block_count", "context_length", "embedding_length", "feed_forward_length", "vocab_size", "attention.head_count", "attention.head_count_kv",
	"attention.key_length", "attention.value_length", "attention.layer_norm_rms_epsilon", "rope.freq_base", "rope.dimension_count",
	"rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length", "rope.scaling.finetuned", "rope.scaling.attn_factor",
	"rope.scaling.yarn_attn_factor", "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "rope.scaling.yarn_log_multiplier", "attention.causal",
	"tensor_data_layout",
}

// refuseOthers fails on keys of the architecture that are not known: what they ask for would be left out. Values that ask for nothing pass.
func (m *metadata) refuseOthers(own map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(m.values)) {
		name, ours := strings.CutPrefix(key, m.prefix)
		if _, asked := own[name]; !ours || asked || slices.Contains(known, name) || m.err != nil {
			continue
		}
		value := fmt.Sprint(m.values[key])
		one := strings.Contains(name, "scale") && value == "1"
		if !one && !slices.Contains([]string{"0", "false", "", "none", "[]"}, value) {
			m.err = badSource(weights.ErrUnsupported, m.path, "", "metadata key %s = %s", fileerr.Name(key), fileerr.Name(value))
		}
	}
}

// ropeScaling returns the rope_scaling that the metadata state, nil for none.
func (m *metadata) ropeScaling() map[string]any {
	kind := m.text("rope.scaling.type")
	_, scaled := m.values[m.prefix+"rope.scaling.factor"]
	switch {
	case kind == "none":
		return nil
	case kind == "" && scaled:
		kind = "linear" // which a factor alone means
	case kind == "":
		return nil
	}
	return m.scaling(kind)
}

// scaling returns a rope_scaling of a kind, nil if it does nothing.
func (m *metadata) scaling(kind string) map[string]any {
	factor := m.number("rope.scaling.factor", 1)
	if kind == "linear" && factor == 1 {
		return nil
	}
	scaling := map[string]any{"rope_type": kind, "factor": factor}
	if kind == "linear" {
		return scaling
	}
	factorKey := "attention_factor"
	if kind == "yarn" {
		factorKey = "attn_factor" // it multiplies what follows from the factor
	}
	for key, to := range map[string]string{
		"rope.scaling.attn_factor": factorKey, "rope.scaling.yarn_attn_factor": factorKey,
		"rope.scaling.yarn_beta_fast": "beta_fast", "rope.scaling.yarn_beta_slow": "beta_slow",
	} {
		if _, ok := m.values[m.prefix+key]; ok {
			scaling[to] = m.number(key, -1)
		}
	}
	const all = "rope.scaling.yarn_log_multiplier"
	if x, ok := m.values[m.prefix+all]; kind == "yarn" && ok && x != float32(0) {
		scaling["mscale"], scaling["mscale_all_dim"] = 1, m.number(all, -1)
	}
	if n := m.integer("rope.scaling.original_context_length", 0); n > 0 {
		scaling["original_max_position_embeddings"] = n
	}
	return scaling
}

// ropeTensors completes rope_scaling with the tensors by which GGUF files state frequencies, of heads of which dim elements are turned.
func ropeTensors(config map[string]any, m *metadata, dim int, found map[string]sourceTensor) error {
	scaling := config["rope_scaling"].(map[string]any)
	if t, ok := found[ropeFreqsTensor]; ok {
		if scaling != nil {
			return badSource(weights.ErrUnsupported, m.path, ropeFreqsTensor, "stands beside metadata key %srope.scaling.type", m.prefix)
		}
		factors, err := ropeFactors(t, dim)
		config["rope_scaling"] = map[string]any{"rope_type": "factors", "factors": factors}
		return err
	}
	for name, key := range map[string]string{ropeShortTensor: "short_factor", ropeLongTensor: "long_factor"} {
		t, ok := found[name]
		if !ok {
			continue
		}
		if scaling == nil {
			scaling = m.scaling("longrope")
			config["rope_scaling"] = scaling
		}
		factors, err := ropeFactors(t, dim)
		if err != nil {
			return err
		}
		scaling[key] = factors
	}
	return m.err
}

// ropeFactors reads a tensor of divisors of the frequencies, of which heads have one for each pair of the elements that are rotated.
func ropeFactors(t sourceTensor, rotated int) ([]float32, error) {
	if t.dtype != tensor.F32 || t.rows != 1 || t.cols != rotated/2 {
		return nil, badSource(weights.ErrCorrupt, t.file, t.name, "is %v [%d %d], not %d f32 values", t.dtype, t.rows, t.cols, rotated/2)
	}
	raw := make([]byte, 4*t.cols)
	if err := t.read(raw, 0); err != nil {
		return nil, err
	}
	factors := make([]float32, t.cols)
	for i := range factors {
		factors[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		if !(factors[i] > 0 && factors[i] <= math.MaxFloat32) {
			return nil, badSource(weights.ErrCorrupt, t.file, t.name, "factor %d is %v", i, factors[i])
		}
	}
	return factors, nil
}
