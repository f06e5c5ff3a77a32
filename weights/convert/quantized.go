package convert

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// method is a way in which the matrices of a Hugging Face folder are quantised.
type method interface {
	// restore puts, in found, a tensor of the same name as before the quantisation in place of those that stand for it. notes say what became
	// of the matrices.
	restore(found map[string]sourceTensor) (notes []string, err error)
}

// named is a method that errors about its matrices name.
type named struct {
	method
	name string
}

func (n named) restore(found map[string]sourceTensor) (notes []string, err error) {
	if notes, err = n.method.restore(found); err != nil {
		err = fmt.Errorf("weights quantised with %s: %w", n.name, err)
	}
	return notes, err
}

// methods are those that are understood, by the names that config.json gives them.
var methods = map[string]func(q *settings) method{
	"fp8": parseFP8, "gptq": parseGPTQ, "awq": parseAWQ, "mlx": parseMLX, "compressed-tensors": parseCompressed, "mxfp4": parseMXFP4,
}

// quantizationKeys are the keys of config.json that say how matrices are quantised.
var quantizationKeys = []string{"quantization_config", "compression_config", "quantization"}

// cutQuantization returns the method that a configuration states, nil if there is none, and the configuration without it. Methods that
// are not understood stay in it, for the architecture to refuse.
func cutQuantization(config []byte, path string) (method, []byte, error) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(config, &keys) != nil {
		return nil, config, nil // whoever parses it will say why
	}
	var found method
	var first string // settings, which mlx states twice
	for _, key := range quantizationKeys {
		raw, ok := keys[key]
		if !ok || string(raw) == "null" {
			continue
		}
		q := &settings{path: path, key: key}
		name := q.method(raw)
		parse, ok := methods[name]
		if !ok {
			return nil, config, nil
		}
		m := parse(q)
		if text, _ := json.Marshal(q.values); first == "" {
			first = string(text)
		} else if first != string(text) {
			return nil, nil, badSource(weights.ErrUnsupported, path, "", "%s differs from the other key that says how the matrices are quantised", key)
		}
		if q.check(); q.err != nil {
			return nil, nil, q.err
		}
		found = named{m, name}
		delete(keys, key)
	}
	if found == nil {
		return nil, config, nil
	}
	rest, err := json.Marshal(keys)
	return found, rest, err
}

// settings are what config.json says of a quantisation. The first error sticks.
type settings struct {
	path, key string
	values    map[string]json.RawMessage
	asked     []string
	err       error
}

// method reads the settings and returns the name of the method.
func (q *settings) method(raw json.RawMessage) string {
	if json.Unmarshal(raw, &q.values) != nil {
		return ""
	}
	name, _ := value(q, "quant_method", "")
	_, group := q.values["group_size"]
	switch {
	case name != "":
	case q.key == "compression_config":
		name = "compressed-tensors"
	case group && q.key != "compression_config":
		name = "mlx"
	}
	return name
}

// value returns the value of a key, absent if there is none or it is null.
func value[T any](q *settings, key string, absent T) (v T, stated bool) {
	q.asked = append(q.asked, key)
	raw, ok := q.values[key]
	if !ok || string(raw) == "null" {
		return absent, false
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		q.refuse(key)
		return absent, false
	}
	return v, true
}

// within returns the value of a key, which must be one of those given; the first is that of an absent key.
func within[T comparable](q *settings, key string, allowed ...T) T {
	v, _ := value(q, key, allowed[0])
	if !slices.Contains(allowed, v) {
		q.refuse(key)
	}
	return v
}

// ignore names keys that change nothing of what the matrices hold.
func (q *settings) ignore(keys ...string) { q.asked = append(q.asked, keys...) }

// refuse fails because of the value of a key.
func (q *settings) refuse(key string) {
	if q.err == nil {
		q.err = badSource(weights.ErrUnsupported, q.path, "", "%s: %s = %s; take the model that it was made from, or a GGUF file of it", q.key, fileerr.Name(key), fileerr.Name(string(q.values[key])))
	}
}

// check refuses keys that nobody asked for, unless they ask for nothing.
func (q *settings) check() {
	for _, key := range slices.Sorted(maps.Keys(q.values)) {
		nothing := slices.Contains([]string{"null", "false", "{}", "[]", `""`}, string(q.values[key]))
		if !nothing && !slices.Contains(q.asked, key) {
			q.refuse(key)
		}
	}
}

// inner returns the settings that a key holds, or empty ones.
func (q *settings) inner(key string) *settings {
	in := &settings{path: q.path, key: q.key + "." + key}
	in.values, _ = value(q, key, map[string]json.RawMessage{})
	return in
}

// take removes the tensor NAME.part from found.
func take(found map[string]sourceTensor, name, part string) (sourceTensor, bool) {
	t, ok := found[name+part]
	delete(found, name+part)
	return t, ok
}

// want is take of a tensor that must be there with rows of cols.
func want(found map[string]sourceTensor, name, part string, rows, cols int, types ...tensor.DType) (sourceTensor, error) {
	t, ok := take(found, name, part)
	switch {
	case !ok:
		return t, badSource(weights.ErrCorrupt, found[anyName(found)].file, name+part, "is missing beside the other tensors of a quantised matrix")
	case t.rows != rows || t.cols != cols:
		return t, badSource(weights.ErrCorrupt, t.file, t.name, "has %s of %d, its matrix asks for %d of %d", plural.Of(t.rows, "row"), t.cols, rows, cols)
	case !slices.Contains(types, t.dtype):
		return t, badSource(weights.ErrUnsupported, t.file, t.name, "type %v in a quantised matrix", t.dtype)
	}
	return t, nil
}

// anyName returns the name of a tensor, whose file an error can state.
func anyName(found map[string]sourceTensor) string {
	for name := range found {
		return name
	}
	return ""
}

// basesOf returns the names of the tensors NAME+suffix without the suffix, sorted.
func basesOf(found map[string]sourceTensor, suffix string) (bases []string) {
	for name := range found {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	return bases
}

// numbers reads all elements of a tensor.
func (t *sourceTensor) numbers() ([]float32, error) {
	raw, err := t.bytes()
	if err != nil {
		return nil, err
	}
	values := make([]float32, t.rows*t.cols)
	if err := tensor.Decode(values, raw, t.dtype); err != nil {
		return nil, badSource(err, t.file, t.name, "its values")
	}
	return values, nil
}

// bytes reads a whole tensor.
func (t *sourceTensor) bytes() ([]byte, error) {
	raw := make([]byte, t.dtype.RowBytes(t.rows*t.cols))
	return raw, t.read(raw, 0)
}

// madeRows reads a matrix whose rows are made one by one. Reads begin and end between rows.
type madeRows struct {
	rowBytes int
	make     func(dst []byte, row int) error
}

// ReadAt implements [io.ReaderAt].
func (m madeRows) ReadAt(dst []byte, offset int64) (n int, err error) {
	for ; n < len(dst); n += m.rowBytes {
		if err := m.make(dst[n:n+m.rowBytes], int((offset+int64(n))/int64(m.rowBytes))); err != nil {
			return n, err
		}
	}
	return n, nil
}
