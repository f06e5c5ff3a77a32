package sampling

import (
	"fmt"
	"math"
	"slices"
)

// argmax returns the index of the largest logit, the lowest among equals.
func argmax(logits []float32) (int, error) {
	best, largest := -1, float32(math.Inf(-1))
	for i, x := range logits {
		if x > largest {
			best, largest = i, x
		} else if x != x {
			return 0, fmt.Errorf("sampling: logit of token %d is NaN: %w", i, ErrLogits)
		}
	}
	if best < 0 {
		return 0, fmt.Errorf("sampling: none of %d logits is above -Inf: %w", len(logits), ErrLogits)
	}
	if math.IsInf(float64(largest), 1) {
		return 0, fmt.Errorf("sampling: logit of token %d is +Inf: %w", best, ErrLogits)
	}
	return best, nil
}

// load fills c with all tokens, weighted by their logits.
func load(c []TokenWeight, logits []float32) []TokenWeight {
	c = slices.Grow(c[:0], len(logits))[:len(logits)]
	for i, x := range logits {
		c[i] = TokenWeight{int32(i), x}
	}
	return c
}

// scale divides by the temperature, after moving the largest logit to 0 so that nothing overflows later.
func scale(c []TokenWeight, largest, temperature float32) {
	for i := range c {
		c[i].Weight = (c[i].Weight - largest) / temperature
	}
}

// topK keeps the k heaviest candidates, heaviest first.
func topK(c []TokenWeight, k int) []TokenWeight {
	// Each of k blocks has a candidate at least as heavy as the lightest of their heaviest, so lighter ones are out.
	bound := float32(math.Inf(1))
	for i, size := 0, len(c)/k; i < k; i++ {
		bound = min(bound, heaviest(c[i*size:(i+1)*size]))
	}
	return first(atLeast(c, bound), func(taken int, _ float64) bool { return taken == k })
}

// exponentiate turns scaled logits into probabilities up to a common factor; the heaviest gets 1.
func exponentiate(c []TokenWeight) {
	for i := range c {
		c[i].Weight = float32(math.Exp(float64(c[i].Weight)))
	}
}

// topP keeps the heaviest candidates, heaviest first, until they hold the fraction p of the total weight.
func topP(c []TokenWeight, p float32) []TokenWeight {
	total := sum(c)
	// All candidates below this bound together weigh less than what may be missing.
	c = atLeast(c, float32((1-float64(p))*total/float64(len(c))))
	return first(c, func(_ int, weight float64) bool { return weight >= float64(p)*total })
}

// minP keeps the candidates that weigh at least p times the heaviest.
func minP(c []TokenWeight, p float32) []TokenWeight { return atLeast(c, p*heaviest(c)) }

// atLeast keeps the candidates of at least the given weight, in their order.
func atLeast(c []TokenWeight, weight float32) []TokenWeight {
	n := 0
	for _, x := range c {
		if x.Weight >= weight {
			c[n] = x
			n++
		}
	}
	return c[:n]
}

func heaviest(c []TokenWeight) float32 {
	weight := float32(math.Inf(-1))
	for _, x := range c {
		weight = max(weight, x.Weight)
	}
	return weight
}

// fraction turns the top 53 bits of random into a number from 0 up to, but not including, 1.
func fraction(random uint64) float64 { return float64(random>>11) * 0x1p-53 }

// draw picks a candidate with probability proportional to its weight.
func draw(c []TokenWeight, random uint64) int32 {
	goal := fraction(random) * sum(c)
	last, passed := 0, 0.0
	for i, x := range c {
		if x.Weight == 0 {
			continue
		}
		last, passed = i, passed+float64(x.Weight)
		if passed > goal {
			break
		}
	}
	return c[last].Token
}

func sum(c []TokenWeight) float64 {
	total := 0.0
	for _, x := range c {
		total += float64(x.Weight)
	}
	return total
}

// first keeps the heaviest candidates, heaviest first and lower tokens first among equals, up to the one with which enough
// is true of their number and weight. It takes them from a heap: one linear pass, and a short path for each, where sorting
// would order all the others too.
func first(c []TokenWeight, enough func(taken int, weight float64) bool) []TokenWeight {
	for i := len(c)/2 - 1; i >= 0; i-- {
		siftDown(c, i)
	}
	n, weight := len(c), 0.0
	for n > 0 && !enough(len(c)-n, weight) {
		weight += float64(c[0].Weight)
		n--
		c[0], c[n] = c[n], c[0]
		siftDown(c[:n], 0)
	}
	c = c[n:]
	slices.Reverse(c)
	return c
}

// siftDown restores the heap, whose root is the heaviest candidate, where c[i] may be lighter than its children.
func siftDown(c []TokenWeight, i int) {
	for {
		child := 2*i + 1
		if child >= len(c) {
			return
		}
		if right := child + 1; right < len(c) && before(c[right], c[child]) {
			child = right
		}
		if !before(c[child], c[i]) {
			return
		}
		c[i], c[child] = c[child], c[i]
		i = child
	}
}

// before is the order in which candidates are kept: heaviest first, lower tokens first among equals.
func before(a, b TokenWeight) bool {
	return a.Weight > b.Weight || a.Weight == b.Weight && a.Token < b.Token
}
