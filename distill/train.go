package distill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
	gg "gorgonia.org/gorgonia"
)

const (
	batchSize = 256
	// batchVocab is the number of tokens over which the loss of a batch is taken: those that the target finds probable somewhere in the batch,
	// and others at random. A smaller vocabulary is taken whole.
	batchVocab = 1024
	// Every heldOut-th sequence is not trained on.
	heldOut = 10
)

// trainer is the distillation of the predictor of one exit.
type trainer struct {
	samples *sampleReader
	head    *head
	exit    int // index in the samples' exits
	temp    float64
	eps     float32
	seed    uint64
	random  *rand.Rand // of the epoch

	train, held []int // samples
	learn, test *network
	sample      sample
	column      map[int32]int // of the tokens of the batch's vocabulary
}

func newTrainer(samples *sampleReader, head *head, exit, rank int, temperature float64, eps float32, seed uint64) (*trainer, error) {
	width := samples.state.Width
	t := &trainer{
		samples: samples, head: head, exit: exit, temp: temperature, eps: eps, seed: seed,
		sample: samples.state.newSample(1),
	}
	for i := range samples.state.Samples {
		if err := samples.read(i, exit, &t.sample); err != nil {
			return nil, err
		}
		if t.sample.sequence%heldOut == heldOut-1 {
			t.held = append(t.held, i)
		} else {
			t.train = append(t.train, i)
		}
	}
	if len(t.train) < batchSize || len(t.held) < batchSize {
		return nil, fmt.Errorf("%s to train on and %d held out: at least %d of each are needed", plural.Of(len(t.train), "sample"), len(t.held), batchSize)
	}
	vocab := min(batchVocab, head.vocab)
	var err error
	if t.learn, err = newNetwork(batchSize, width, rank, vocab, true); err != nil {
		return nil, err
	}
	if t.test, err = newNetwork(batchSize, width, rank, vocab, false); err != nil {
		return nil, errors.Join(err, t.learn.close())
	}
	basis := head.principal(rank, rand.New(rand.NewPCG(seed, uint64(exit))))
	copy(t.learn.down, basis)
	copy(t.learn.up, basis)
	return t, nil
}

func (t *trainer) close() error { return errors.Join(t.learn.close(), t.test.close()) }

// fill puts samples into a network's inputs and returns the mean entropy of the target's distributions.
func (t *trainer) fill(n *network, batch []int) (entropy float64, err error) {
	hidden, target := n.hidden, n.target
	clear(target)
	width, top := n.width, t.samples.state.Top
	tokens, probs := make([]int32, 0, len(batch)*top), make([]float64, 0, len(batch)*top)
	weight := map[int32]float64{}
	for i, index := range batch {
		if err := t.samples.read(index, t.exit, &t.sample); err != nil {
			return 0, err
		}
		normalise(hidden[i*width:(i+1)*width], t.sample.hidden, t.eps)
		first, total := float64(t.sample.logits[0]), 0.0
		for _, logit := range t.sample.logits {
			total += math.Exp((float64(logit) - first) / t.temp)
		}
		for k, logit := range t.sample.logits {
			p := math.Exp((float64(logit)-first)/t.temp) / total
			tokens, probs = append(tokens, t.sample.tokens[k]), append(probs, p)
			weight[t.sample.tokens[k]] += p
		}
	}
	t.chooseVocabulary(n, weight)
	for i := range batch {
		total, row := 0.0, target[i*n.vocab:(i+1)*n.vocab]
		for k := i * top; k < (i+1)*top; k++ {
			if _, chosen := t.column[tokens[k]]; chosen {
				total += probs[k]
			}
		}
		for k := i * top; k < (i+1)*top; k++ {
			if column, chosen := t.column[tokens[k]]; chosen && probs[k] > 0 {
				p := probs[k] / total
				row[column] = float32(p)
				entropy -= p * math.Log(p) / float64(len(batch))
			}
		}
	}
	return entropy, nil
}

// chooseVocabulary gives each of a batch's most probable tokens a column, fills up with others at random, and loads their output rows.
func (t *trainer) chooseVocabulary(n *network, weight map[int32]float64) {
	tokens := slices.SortedFunc(maps.Keys(weight), func(a, b int32) int {
		return cmp.Or(cmp.Compare(weight[b], weight[a]), cmp.Compare(a, b))
	})
	tokens = tokens[:min(len(tokens), n.vocab)]
	t.column = make(map[int32]int, n.vocab)
	for i, token := range tokens {
		t.column[token] = i
	}
	for next := 0; len(t.column) < n.vocab; next++ {
		token := int32(next)
		if n.vocab < t.head.vocab {
			token = int32(t.random.IntN(t.head.vocab))
		}
		if _, chosen := t.column[token]; !chosen {
			t.column[token] = len(t.column)
		}
	}
	rows := n.head
	for token, column := range t.column {
		row := rows[column*n.width : (column+1)*n.width]
		t.head.row(row, int(token))
		for i := range row {
			row[i] /= float32(t.temp)
		}
	}
}

// normalise writes x divided by its root mean square to dst.
func normalise(dst, x []float32, eps float32) {
	squares := 0.0
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	scale := 1 / math.Sqrt(squares/float64(len(x))+float64(eps))
	for i, v := range x {
		dst[i] = float32(float64(v) * scale)
	}
}

// epoch trains on every sample once, in an order that depends on seed, exit and epoch alone: a training that was interrupted goes on as if it
// had not been.
func (t *trainer) epoch(ctx context.Context, number int, solver gg.Solver, progress func(done, total int)) error {
	t.random = rand.New(rand.NewPCG(t.seed, uint64(t.exit)<<32|uint64(number)))
	slices.Sort(t.train)
	t.random.Shuffle(len(t.train), func(i, j int) { t.train[i], t.train[j] = t.train[j], t.train[i] })
	batches := len(t.train) / batchSize
	for b := range batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := t.fill(t.learn, t.train[b*batchSize:(b+1)*batchSize]); err != nil {
			return err
		}
		if _, err := t.learn.run(solver); err != nil {
			return err
		}
		progress(b+1, batches)
	}
	return nil
}

// parameters returns what is trained.
func (t *trainer) parameters() [][]float32 {
	return [][]float32{t.learn.down, t.learn.up}
}

// evaluate returns how well the network does on the held-out samples.
func (t *trainer) evaluate(ctx context.Context) (o outcome, err error) {
	copy(t.test.down, t.learn.down)
	copy(t.test.up, t.learn.up)
	t.random = rand.New(rand.NewPCG(0, 0)) // the same fillers in every epoch
	batches := len(t.held) / batchSize
	for b := range batches {
		if err := ctx.Err(); err != nil {
			return o, err
		}
		entropy, err := t.fill(t.test, t.held[b*batchSize:(b+1)*batchSize])
		if err != nil {
			return o, err
		}
		loss, err := t.test.run(nil)
		if err != nil {
			return o, err
		}
		agreement, err := t.test.agreement(t.test.target)
		if err != nil {
			return o, err
		}
		o.Loss += t.temp * t.temp * (loss - entropy) / float64(batches)
		o.Agreement += agreement / float64(batches)
	}
	return o, nil
}

// predictor returns the trained predictor in the form that a store keeps: the output rows mapped to the rank, so that neither the map nor the head
// is needed to score a token.
func (h *head) predictor(l lesson, rank int) (p weights.StoredPredictor, err error) {
	width := len(h.gain)
	columns, err := tensor.FromFloat32s(l.down, width, rank)
	if err != nil {
		return p, err
	}
	if columns, err = columns.Transpose(); err != nil {
		return p, err
	}
	if p.Down, err = pack(columns); err != nil {
		return p, err
	}
	out, row := make([]float32, (h.vocab+1)*rank), make([]float32, width)
	for token := range h.vocab {
		h.row(row, token)
		mapped := out[token*rank : (token+1)*rank]
		for i, x := range row {
			for k := range mapped {
				mapped[k] += x * l.up[i*rank+k]
			}
		}
	}
	copy(out[h.vocab*rank:], l.other)
	p.Blend = [3]float64{float64(l.blend[0]), 1, float64(l.blend[1])}
	rows, err := tensor.FromFloat32s(out, h.vocab+1, rank)
	if err != nil {
		return p, err
	}
	p.Out, err = pack(rows)
	return p, err
}

// pack quantises a matrix to Q8_0 in packed form.
func pack(matrix *tensor.Tensor) (tensor.Packed, error) {
	quantised, err := matrix.To(tensor.Q8_0)
	if err != nil {
		return tensor.Packed{}, err
	}
	return quantised.Packed()
}
