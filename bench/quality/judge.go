package quality

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/importance"
)

// judge holds a model's own weights and text.
type judge struct {
	pool             *kernels.Pool
	model            *arch.Model
	tensors          []weights.TensorInfo
	values           map[string][]float32
	importance       importance.Of
	measured, judged [][]int32
	own              *layers.Decoder
}

// load reads the weights and the text, and measures importance.
func (j *judge) load(ctx context.Context, engine *lever.Engine, o Options) error {
	store, _ := engine.Stores()
	info, err := weights.Inspect(store.Dir())
	if err != nil {
		return err
	}
	j.tensors = info.Tensors
	if j.model, err = arch.Parse(store.Config()); err != nil {
		return err
	}
	if err := j.texts(ctx, engine, o); err != nil {
		return err
	}
	if j.importance, err = importance.Measure(ctx, store, j.measured, importance.Options{Pool: j.pool}); err != nil {
		return err
	}
	if j.values, err = read(ctx, store, info.Tensors); err != nil {
		return err
	}
	j.own, err = j.decoder(weights.Uniform(tensor.F16), nil)
	return err
}

// texts takes prompts by turns for both uses.
func (j *judge) texts(ctx context.Context, engine *lever.Engine, o Options) error {
	n := 0
	for _, set := range o.Sets {
		for _, p := range set.Prompts {
			ids, err := engine.Encode(ctx, p.Request())
			if err != nil {
				return err
			}
			to := &j.judged
			if n++; n%2 == 0 {
				to = &j.measured
			}
			if o.Tokens > 0 && to == &j.judged {
				ids = ids[:min(len(ids), max(0, o.Tokens-count(*to)))]
			}
			if len(ids) > 1 {
				*to = append(*to, ids)
			}
		}
	}
	if len(j.judged) == 0 || len(j.measured) == 0 {
		return errors.New("there is too little text")
	}
	return nil
}

// read returns the values of all tensors, row-major.
func read(ctx context.Context, store *weights.Store, tensors []weights.TensorInfo) (values map[string][]float32, err error) {
	resident, err := store.Resident(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resident.Close()) }()
	values = map[string][]float32{}
	for _, t := range tensors {
		all := make([]float32, 0, t.Rows*t.Cols)
		for part, err := range resident.Parts(ctx, t.Name) {
			if err != nil {
				return nil, err
			}
			plain := make([]byte, part.Type.RowBytes(part.Rows*part.Cols))
			some := make([]float32, part.Rows*part.Cols)
			if err := errors.Join(tensor.Unpack(plain, part.Data, part.Type, part.Rows, part.Cols), tensor.Decode(some, plain, part.Type)); err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
		values[t.Name] = all
	}
	return values, nil
}

// decoder returns one with matrices of what the types of mix make of them.
func (j *judge) decoder(mix weights.Mix, of importance.Of) (*layers.Decoder, error) {
	memory := &layers.Memory{}
	for _, t := range j.tensors {
		values, as := j.values[t.Name], tensor.F16
		switch {
		case t.Rows == 1:
			as = tensor.F32
		default:
			var err error
			if values, err = j.through(values, t.Cols, mix.TypeOf(t.Name, j.model.Layers), of[t.Name]); err != nil {
				return nil, err
			}
		}
		if err := memory.SetMatrix(t.Name, as, t.Rows, t.Cols, values); err != nil {
			return nil, err
		}
	}
	return j.model.Decoder(memory, arch.Options{Pool: j.pool, KV: tensor.F32, MaxBatch: batch})
}

// through returns what is left of rows of values in type d.
func (j *judge) through(values []float32, cols int, d tensor.DType, moments *tensor.Moments) ([]float32, error) {
	if !d.Quantized() {
		return values, nil
	}
	padded := (cols + d.BlockElems() - 1) / d.BlockElems() * d.BlockElems()
	var of *tensor.Importance
	if moments != nil {
		var err error
		filled := tensor.Moments{Width: moments.Width, Values: make([]float32, tensor.MomentsLen(padded, moments.Width))}
		copy(filled.Values, moments.Values)
		if of, err = filled.Importance(); err != nil {
			return nil, err
		}
	}
	rows := len(values) / cols
	out := make([]float32, len(values))
	var failed atomic.Pointer[error]
	j.pool.Run(rows, func(_, r int) {
		row, raw := make([]float32, padded), make([]byte, d.RowBytes(padded))
		copy(row, values[r*cols:(r+1)*cols])
		if err := errors.Join(tensor.EncodeWeighted(raw, row, d, of), tensor.Decode(row, raw, d)); err != nil {
			failed.Store(&err)
		}
		copy(out[r*cols:], row[:cols])
	})
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return out, nil
}

// bits returns the bits of a weight, over all matrices. The columns that fill up rows do not count.
func (j *judge) bits(mix weights.Mix) float64 {
	bits, elements := 0.0, 0.0
	for _, t := range j.tensors {
		if t.Rows > 1 {
			as := mix.TypeOf(t.Name, j.model.Layers)
			n := float64(t.Rows) * float64(t.Cols)
			bits, elements = bits+n*8*float64(as.BlockBytes())/float64(as.BlockElems()), elements+n
		}
	}
	return bits / elements
}

// batch is the number of tokens of a forward.
const batch = 64

// judge measures one mix.
func (j *judge) judge(ctx context.Context, mix weights.Mix, withImportance bool) (Result, error) {
	var of importance.Of
	if withImportance {
		of = j.importance
	}
	other, err := j.decoder(mix, of)
	if err != nil {
		return Result{}, err
	}
	defer other.Close()
	r := Result{Type: mix.Name, Importance: withImportance, Bits: j.bits(mix)}
	n := 0
	ownNLL := 0.0
	for _, ids := range j.judged {
		own, err := distributions(ctx, j.own, ids)
		if err != nil {
			return r, err
		}
		its, err := distributions(ctx, other, ids)
		if err != nil {
			return r, err
		}
		for i, next := range ids[1:] {
			p, q := own[i], its[i]
			ownNLL -= float64(p[next])
			r.NLL -= float64(q[next])
			if slices.Index(p, slices.Max(p)) == slices.Index(q, slices.Max(q)) {
				r.Agreement++
			}
			for k, logP := range p {
				r.KL += math.Exp(float64(logP)) * float64(logP-q[k])
			}
			n++
		}
	}
	r.NLL, r.Agreement, r.KL = r.NLL/float64(n), r.Agreement/float64(n), r.KL/float64(n)
	r.Lost = r.NLL - ownNLL/float64(n)
	return r, nil
}

// distributions returns the log-probabilities of what follows each token but the last.
func distributions(ctx context.Context, d *layers.Decoder, ids []int32) (all [][]float32, err error) {
	if err := d.Truncate(0); err != nil {
		return nil, err
	}
	vocab := d.Vocab()
	for ids = ids[:len(ids)-1]; len(ids) > 0; {
		n := min(batch, len(ids))
		first, err := d.Forward(ctx, layers.Batch{Tokens: ids[:n]})
		if err != nil {
			return nil, err
		}
		path := make([]int, n)
		for i := range path {
			path[i] = first + i
		}
		logits := make([]float32, n*vocab)
		if err := errors.Join(d.Project(ctx, logits, path), d.Commit(path)); err != nil {
			return nil, err
		}
		for i := range n {
			row := logits[i*vocab : (i+1)*vocab]
			normalise(row)
			all = append(all, row)
		}
		ids = ids[n:]
	}
	return all, nil
}

// normalise makes log-probabilities of logits.
func normalise(row []float32) {
	most, sum := slices.Max(row), 0.0
	for _, x := range row {
		sum += math.Exp(float64(x - most))
	}
	norm := most + float32(math.Log(sum))
	for i := range row {
		row[i] -= norm
	}
}
