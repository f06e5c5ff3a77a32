package earlyexit

import (
	"math"

	"github.com/lever-go/lever/layers"
)

// blend combines what the draft and a predictor say of the candidates after a node, and of none of them, which is the last in all slices.
// With â the calibrated chances by the draft, and s the logarithm of the predictor's softmax in the set, the target picks candidate i with a
// chance in proportion to
//
//	exp(w₀·log â_i + w₁·s_i),   and   exp(w₀·log â_n + w₁·s_n + w₂)
//
// for none of them: a conditional logit model (McFadden 1974). Its weights follow what the target picks, by steps along the gradient of the logarithm of that
// choice's chance, each divided by the information that was seen so far of its weight.
type blend struct {
	weights, information [blendWeights]float64
}

const blendWeights = 3

// newBlend returns a blend that begins with what was right in training. It counts for some hundred choices.
func newBlend(t layers.BlendWeights) blend {
	return blend{weights: [blendWeights]float64{t.Draft, t.Predictor, t.Other}, information: [blendWeights]float64{100, 100, 30}}
}

// strengths writes what the chances of candidates are in proportion to, given log â and s of each, and returns the sum.
func (b *blend) strengths(dst, priors, scores []float64) (total float64) {
	for i := range dst {
		exponent := b.weights[0]*priors[i] + b.weights[1]*scores[i]
		if i == len(dst)-1 {
			exponent += b.weights[2]
		}
		dst[i] = math.Exp(exponent)
		total += dst[i]
	}
	return total
}

// learn takes in that the target picked one of the candidates, whose strengths sum to total.
func (b *blend) learn(priors, scores []float64, picked int, strengths []float64, total float64) {
	const keep, most = 0.999, 10
	var mean, square, gradient [blendWeights]float64
	for i, strength := range strengths {
		p, other := strength/total, 0.0
		if i == len(strengths)-1 {
			other = 1
		}
		for k, x := range [blendWeights]float64{priors[i], scores[i], other} {
			mean[k] += p * x
			square[k] += p * x * x
			if i == picked {
				gradient[k] = x
			}
		}
	}
	for k := range b.weights {
		b.information[k] = keep*b.information[k] + square[k] - mean[k]*mean[k]
		b.weights[k] = min(max(b.weights[k]+(gradient[k]-mean[k])/b.information[k], -most), most)
	}
	b.weights[0], b.weights[1] = max(b.weights[0], 0), max(b.weights[1], 0) // a source can be worthless, but not wrong on purpose
}

// calibration corrects the chances of what is dropped by how often the target would have accepted it.
type calibration struct {
	expected, accepted float64
}

func newCalibration() calibration { return calibration{4, 4} }

func (c *calibration) of(chance float64) float64 { return chance * c.accepted / c.expected }

// learn takes in a dropped node whose parent was accepted.
func (c *calibration) learn(chance float64, hit bool) {
	const keep = 0.999
	c.expected, c.accepted = keep*c.expected+chance, keep*c.accepted
	if hit {
		c.accepted++
	}
}
