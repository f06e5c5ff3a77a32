package inflate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// Inflation is a small model blown up. Its matrices are made as they are written.
type Inflation struct {
	shape    Shape
	src, dst arch.Transformer
	config   map[string]any // of the source

	architecture *arch.Architecture
	files        map[string]arch.Tensor // what the large model consists of, by name in a store
	steps        [][]string
	tokenizer    vocabulary
	tensors      map[string]weights.Tensor // by their names in a store
	order        []string
	dtype        tensor.DType      // of matrices but the embedding, the head and routers
	source       map[string][]byte // rows of the source's tensors
	sourceType   map[string]tensor.DType
	placed       map[string]placedRows // by name of a matrix of the source
	constant     float64               // in column src.Width of the residual stream
	means        [][]float64           // by layer of the source, the mean direction of what it puts out; for routers alone
}

// Numbers of the column that keeps the logits of added tokens down.
const (
	finalGain     = 1 << 14 // of the column in the final norm
	paddingWeight = -1      // of added tokens there
	noiseLimit    = 0.08    // about the largest weight of the blocks of added layers
)

// New reads the model in store, which is small, and places it in one of the given shape whose matrices have type d, one of [Types]. As in a
// conversion, embedding and head keep their type unless that is Q8_0. own are architectures that package arch does not know.
func New(ctx context.Context, store *weights.Store, shape Shape, d tensor.DType, own ...*arch.Architecture) (*Inflation, error) {
	if !slices.Contains(Types(), d) {
		return nil, fmt.Errorf("inflate: to type %v, not one of %v", d, Types())
	}
	m := &Inflation{
		shape: shape, dtype: d, tensors: map[string]weights.Tensor{}, source: map[string][]byte{}, sourceType: map[string]tensor.DType{}, placed: map[string]placedRows{},
	}
	parsed, err := arch.Parse(store.Config(), own...)
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	transformer, ok := parsed.Config.(*arch.Transformer)
	if !ok {
		return nil, fmt.Errorf("inflate: models of architecture %s are not blown up, only those that an arch.Transformer describes", parsed.Architecture.Name)
	}
	if !isPlain(*transformer) {
		return nil, fmt.Errorf("inflate: models of architecture %s are not blown up, only those that are built as Llama and Qwen3 are", parsed.Architecture.Name)
	}
	m.src, m.architecture = *transformer, parsed.Architecture
	if m.dst, err = shape.fit(m.src, d); err != nil {
		return nil, err
	}
	if m.dst.Experts > 0 {
		m.architecture = arch.GraniteMoE // which is Llama with experts, if its multipliers say so
		if m.src.QKNorm {
			m.architecture = arch.Qwen3MoE
		}
	}
	numbers := json.NewDecoder(bytes.NewReader(store.Config()))
	numbers.UseNumber()
	if err := numbers.Decode(&m.config); err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	if m.tokenizer, err = readVocabulary(store.FS()); err != nil {
		return nil, err
	}
	if err := m.read(ctx, store, parsed, d); err != nil {
		return nil, fmt.Errorf("inflate: %s: %w", store.Dir(), err)
	}
	if err := m.place(); err != nil {
		return nil, err
	}
	return m, m.list()
}

// isPlain reports whether a model has nothing that Llama and Qwen3 lack.
func isPlain(t arch.Transformer) bool {
	return reflect.DeepEqual(t, arch.Transformer{
		Width: t.Width, Layers: t.Layers, Heads: t.Heads, KVHeads: t.KVHeads, HeadDim: t.HeadDim, FFN: t.FFN, Vocab: t.Vocab,
		MaxPositions: t.MaxPositions, NormEps: t.NormEps, Tied: t.Tied, Rope: t.Rope, QKNorm: t.QKNorm, Interleaved: t.Interleaved,
	})
}

// list lists the tensors of the large model.
func (m *Inflation) list() error {
	large, err := m.dst.Model()
	if err != nil {
		return fmt.Errorf("inflate: %w", err)
	}
	m.files = map[string]arch.Tensor{}
	for _, step := range large.Steps {
		var names []string
		for _, t := range step {
			if _, placed := m.tensors[t.Name]; !placed && t.Name == arch.Head {
				continue
			}
			m.files[t.Name] = t
			names = append(names, t.Name)
		}
		m.steps = append(m.steps, names)
	}
	return nil
}

// read reads all tensors of the source, matrices in type d.
func (m *Inflation) read(ctx context.Context, store *weights.Store, described *arch.Model, d tensor.DType) (err error) {
	info, err := weights.Inspect(store.Dir())
	if err != nil {
		return err
	}
	resident, err := store.Resident(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resident.Close()) }()
	for _, t := range info.Tensors {
		var rows []byte
		var have tensor.DType
		for part, err := range resident.Parts(ctx, t.Name) {
			if err != nil {
				return err
			}
			have = part.Type
			at := len(rows)
			rows = append(rows, make([]byte, part.Type.RowBytes(part.Rows*part.Cols))...)
			if err := tensor.Unpack(rows[at:], part.Data, part.Type, part.Rows, part.Cols); err != nil {
				return err
			}
		}
		want := have // until it is placed
		switch {
		case t.Rows == 1:
			want = tensor.F32
		case t.Name == arch.Embedding || t.Name == arch.Head:
			if want = tensor.Q8_0; d == tensor.Q4_0 && have != tensor.Q8_0 {
				want = d
			}
		}
		if rows, err = recode(rows, have, want); err != nil {
			return fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		m.source[t.Name], m.sourceType[t.Name] = rows, want
	}
	if m.dst.Experts > 0 {
		m.means, err = meanDirections(ctx, described, resident)
	}
	return err
}

// recode returns rows of one type in another.
func recode(rows []byte, from, to tensor.DType) ([]byte, error) {
	if from == to {
		return rows, nil
	}
	values := make([]float32, len(rows)/from.BlockBytes()*from.BlockElems())
	if err := tensor.Decode(values, rows, from); err != nil {
		return nil, err
	}
	encoded := make([]byte, to.RowBytes(len(values)))
	return encoded, tensor.Encode(encoded, values, to)
}

// place describes all tensors of the large model.
func (m *Inflation) place() error {
	if err := m.placeVocabulary(); err != nil {
		return err
	}
	src, dst := m.src, m.dst
	queries, keys := make([]int32, dst.Heads*dst.HeadDim), make([]int32, dst.KVHeads*dst.HeadDim)
	fill(queries, -1)
	fill(keys, -1)
	var queryBlocks []int32 // of a row of o, whose columns are queries
	for h := range src.Heads {
		at := queryHead(src, dst, h) * dst.HeadDim
		for i := range src.HeadDim {
			queries[at+i] = int32(h*src.HeadDim + i)
		}
		for i := range src.HeadDim / blockElems {
			queryBlocks = append(queryBlocks, int32(at/blockElems+i))
		}
	}
	for i := range src.KVHeads * copies(src, dst) * dst.HeadDim {
		head := i / dst.HeadDim / copies(src, dst)
		keys[i] = int32(head*src.HeadDim + i%dst.HeadDim)
	}
	width, ffn, rows, inner := count(src.Width/blockElems), count(src.FFN/blockElems), count(src.Width), count(src.FFN)
	scale, err := noiseScale(m.dtype)
	if err != nil {
		return err
	}
	mlp := func(name, own, expert string) error {
		for _, x := range []struct {
			kind           string
			rows, cols     int
			rowOf, blockOf []int32
			scale          uint16
		}{
			{"gate", dst.FFN, dst.Width, inner, width, scale}, {"up", dst.FFN, dst.Width, inner, width, scale},
			{"down", dst.Width, dst.FFN, rows, ffn, 0},
		} {
			if err := m.addMatrix(name+x.kind, own, x.rows, x.cols, x.rowOf, x.blockOf, x.scale); err != nil {
				return err
			}
			t := m.tensors[name+x.kind]
			t.Expert = expert
			m.tensors[name+x.kind] = t
		}
		return nil
	}
	places := map[int]int{}
	for i := range src.Layers {
		places[i*dst.Layers/src.Layers] = i
	}
	for l := range dst.Layers {
		own, name := "", fmt.Sprintf("block.%d.", l)
		if i, ok := places[l]; ok {
			own = fmt.Sprintf("block.%d.", i)
		}
		q, kv := dst.Heads*dst.HeadDim, dst.KVHeads*dst.HeadDim
		m.addNorm(name+"attn_norm", own, 0)
		err := cmp.Or(
			m.addMatrix(name+"q", own, q, dst.Width, queries, width, scale),
			m.addMatrix(name+"k", own, kv, dst.Width, keys, width, scale),
			m.addMatrix(name+"v", own, kv, dst.Width, keys, width, scale),
			m.addMatrix(name+"o", own, dst.Width, q, rows, queryBlocks, 0))
		if err != nil {
			return err
		}
		if src.QKNorm {
			m.addVector(name+"q_norm", m.gains(own, "q_norm", dst.HeadDim))
			m.addVector(name+"k_norm", m.gains(own, "k_norm", dst.HeadDim))
		}
		m.addNorm(name+"mlp_norm", own, 0)
		if dst.Experts == 0 {
			if err := mlp(name, own, ""); err != nil {
				return err
			}
			continue
		}
		if err := m.addRouter(l, own); err != nil {
			return err
		}
		for e := range dst.Experts {
			expert := fmt.Sprintf("%sexpert.%d", name, e)
			if err := mlp(expert+".", own, expert); err != nil {
				return err
			}
		}
	}
	m.addNorm("final_norm", "", finalGain)
	if !src.Tied {
		return m.addTokens("head", 0)
	}
	return nil
}

// placeVocabulary places the embedding, and decides on the constant in it.
func (m *Inflation) placeVocabulary() error {
	if m.dst.Width > m.src.Width {
		m.constant = math.Sqrt(float64(m.src.NormEps) * float64(m.src.Width) / 2)
	}
	return m.addTokens("embedding", m.constant)
}

// addTokens adds a matrix with a row for each token, in which real tokens have the given value in the new column.
func (m *Inflation) addTokens(name string, value float64) error {
	d := m.sourceType[name]
	t := &matrix{dtype: d, rows: m.dst.Vocab, cols: m.dst.Width, placedRows: placedRows{m.source[name], count(m.src.Width / blockElems)}, rowOf: count(m.src.Vocab)}
	if m.dst.Width > m.src.Width {
		one := make([]float32, blockElems)
		encode := func(value float64) (block []byte, err error) {
			one[0] = float32(value)
			block = make([]byte, d.BlockBytes())
			return block, tensor.Encode(block, one, d)
		}
		var err error
		if t.extra, err = encode(value); err != nil {
			return fmt.Errorf("inflate: %s: %w", name, err)
		}
		if t.padding, err = encode(paddingWeight); err != nil {
			return fmt.Errorf("inflate: %s: %w", name, err)
		}
		t.extraAt = m.src.Width / blockElems
		if name == "embedding" {
			if err := tensor.Decode(one, t.extra, d); err != nil {
				return fmt.Errorf("inflate: %s: %w", name, err)
			}
			m.constant = float64(one[0]) // as it is stored
		}
	}
	m.add(name, weights.Tensor{Type: d, Rows: t.rows, Cols: t.cols, Data: t})
	return nil
}

// addMatrix adds a matrix: that of the source's block own, or, where own is empty, one of blocks with the given scale alone.
func (m *Inflation) addMatrix(name, own string, rows, cols int, rowOf, blockOf []int32, scale uint16) error {
	kind := name[strings.LastIndexByte(name, '.')+1:]
	t := &matrix{dtype: m.dtype, rows: rows, cols: cols, scale: scale}
	if own != "" {
		from, err := m.placeRows(own+kind, blockOf)
		if err != nil {
			return fmt.Errorf("inflate: %s: %w", name, err)
		}
		t.placedRows, t.rowOf, t.scale = from, rowOf, 0
	}
	m.add(name, weights.Tensor{Type: t.dtype, Rows: rows, Cols: cols, Data: t})
	return nil
}

// placeRows returns the rows of a matrix of the source in the type of the large model's, of which blockOf says where each run of 32 columns goes. All
// experts of a layer share one.
func (m *Inflation) placeRows(name string, blockOf []int32) (placedRows, error) {
	if done, ok := m.placed[name]; ok {
		return done, nil
	}
	rows, err := encodePlaced(m.source[name], m.sourceType[name], m.dtype, blockOf)
	m.placed[name] = rows
	return rows, err
}

// addNorm adds the gains of a norm over the residual stream, with the given one in the new column.
func (m *Inflation) addNorm(name, own string, constant float32) {
	kind := name[strings.LastIndexByte(name, '.')+1:]
	gains := m.gains(own, kind, m.dst.Width)
	if m.dst.Width > m.src.Width {
		scale := math.Sqrt(float64(m.src.Width) / float64(m.dst.Width))
		for i := range gains[:m.src.Width] {
			gains[i] = float32(float64(gains[i]) * scale)
		}
		gains[m.src.Width] = constant
	}
	m.addVector(name, gains)
}

// gains returns n gains, the first of which are those of the source's tensor, if it has it.
func (m *Inflation) gains(own, kind string, n int) []float32 {
	gains := make([]float32, n)
	fill(gains, 1)
	raw := m.source[own+kind]
	for i := range len(raw) / 4 {
		gains[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return gains
}

func (m *Inflation) addVector(name string, values []float32) {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	m.add(name, weights.Tensor{Type: tensor.F32, Rows: 1, Cols: len(values), Data: bytes.NewReader(raw)})
}

func (m *Inflation) add(name string, t weights.Tensor) {
	m.tensors[name] = t
	m.order = append(m.order, name)
}

func fill[T any](list []T, value T) {
	for i := range list {
		list[i] = value
	}
}

// normEps returns the eps of all norms: what the new columns, and the constant in one of them, leave of it.
func (m *Inflation) normEps() float64 {
	return (float64(m.src.NormEps)*float64(m.src.Width) - m.constant*m.constant) / float64(m.dst.Width)
}

// Bytes returns the size of all tensors.
func (m *Inflation) Bytes() (total int64) {
	for _, t := range m.tensors {
		total += int64(t.Rows) * int64(t.Type.RowBytes(t.Cols))
	}
	return total
}

// WriteStore writes the model as a store, which options of [weights.Write] are for; the type is the model's.
func (m *Inflation) WriteStore(ctx context.Context, dst string, o weights.WriteOptions) error {
	config := map[string]any{}
	for key, value := range m.config {
		config[key] = value
	}
	for key, value := range map[string]any{
		"hidden_size": m.dst.Width, "num_hidden_layers": m.dst.Layers, "num_attention_heads": m.dst.Heads, "num_key_value_heads": m.dst.KVHeads,
		"head_dim": m.dst.HeadDim, "intermediate_size": m.dst.FFN, "vocab_size": m.dst.Vocab, "rms_norm_eps": m.normEps(),
	} {
		config[key] = value
	}
	if m.dst.Experts > 0 {
		for key, value := range m.sparseConfig() {
			config[key] = value
		}
	}
	text, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("inflate: %w", err)
	}
	files, err := m.tokenizer.files(m.dst.Vocab)
	if err != nil {
		return err
	}
	o.Type = tensor.Invalid
	return weights.Write(ctx, weights.Contents{Config: text, Tokenizer: files, Tensors: m.tensors, Steps: m.steps}, dst, o)
}
