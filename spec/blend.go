package spec

import "math"

// blend combines what the draft and a predictor say of the candidates after a node. With â the calibrated chances by the draft, and s
// the logarithm of the predictor's softmax in the set, the target picks candidate i, or none of them, with chances in proportion to
//
//	exp(w₀·log â_i + w₁·s_i)   and   exp(w₀·log(1 - Σâ) + w₂)
//
// a conditional logit model (McFadden 1974). Its weights follow what the target picks, by steps along the gradient of the logarithm of that
// choice's chance, each divided by the information that was seen so far of its weight.
type blend struct {
	weights, information [blendWeights]float64
}

const blendWeights = 3

func newBlend() blend {
	// What was right for the demo models is a start for others. It counts for some hundred choices.
	return blend{weights: [blendWeights]float64{0.5, 0.8, 0}, information: [blendWeights]float64{100, 100, 30}}
}

// strengths writes what the chances of candidates are in proportion to, given log â and s of each, and returns that of none of them, and the sum.
func (b *blend) strengths(dst, believed, scores []float64, none float64) (ofNone, total float64) {
	ofNone = math.Exp(b.weights[0]*none + b.weights[2])
	total = ofNone
	for i := range dst {
		dst[i] = math.Exp(b.weights[0]*believed[i] + b.weights[1]*scores[i])
		total += dst[i]
	}
	return ofNone, total
}

// learn takes in that the target picked candidate picked, or none of them: -1. strengths, ofNone and total are those of the candidates.
func (b *blend) learn(believed, scores []float64, none float64, picked int, strengths []float64, ofNone, total float64) {
	const keep, most = 0.999, 10
	var mean, square, gradient [blendWeights]float64
	count := func(f [blendWeights]float64, p float64, hit bool) {
		for k, x := range f {
			mean[k] += p * x
			square[k] += p * x * x
			if hit {
				gradient[k] = x
			}
		}
	}
	count([blendWeights]float64{none, 0, 1}, ofNone/total, picked < 0)
	for i, p := range strengths {
		count([blendWeights]float64{believed[i], scores[i], 0}, p/total, i == picked)
	}
	for k := range b.weights {
		b.information[k] = keep*b.information[k] + square[k] - mean[k]*mean[k]
		b.weights[k] = min(max(b.weights[k]+(gradient[k]-mean[k])/b.information[k], -most), most)
	}
	b.weights[0], b.weights[1] = max(b.weights[0], 0), max(b.weights[1], 0) // a source can be worthless, but not wrong on purpose
}

// odds corrects the chances of what is dropped by how often the target would have accepted it.
type odds struct {
	expected, seen float64
}

func newOdds() odds { return odds{4, 4} }

func (o *odds) of(chance float64) float64 { return chance * o.seen / o.expected }

// learn takes in a dropped node whose parent was accepted.
func (o *odds) learn(chance float64, hit bool) {
	const keep = 0.999
	o.expected, o.seen = keep*o.expected+chance, keep*o.seen
	if hit {
		o.seen++
	}
}
