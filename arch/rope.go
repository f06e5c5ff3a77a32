package arch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/layers"
)

const (
	defaultTheta     = 10000
	defaultPositions = 2048 // max_position_embeddings
	partialRotary    = "partial_rotary_factor"
)

// Rope reads the rotary embedding: rope_theta, and rope_scaling or, in newer files, rope_parameters. Where both are there, the scaling
// is that of rope_scaling. The base may stand in any of them, but has to be the same everywhere.
//
// rope_type is "default", "linear", "llama3", "yarn", "longrope", "dynamic" or "factors"; the last takes a list `factors` of numbers, one for each
// frequency, by which the frequencies are divided, which is how GGUF files state a scaling. A dynamic scaling changes nothing up to
// max_position_embeddings, beyond which no context goes.
func (v *Values) Rope() layers.Rope { return v.ropeOf("") }

// ropeOf reads the rotary embedding of the layers of one kind, for files that tell kinds apart; "" if all are of one kind.
func (v *Values) ropeOf(kind string) layers.Rope {
	r := layers.Rope{Theta: defaultTheta, Scaling: layers.RopeDefault}
	theta := statement{}
	theta.add(v, "rope_theta", "rope_theta")
	for _, key := range []string{"rope_parameters", "rope_scaling"} { // the later one decides
		inner := v.ropeObject(key, kind)
		if inner == nil {
			continue
		}
		theta.add(inner, "rope_theta", key+".rope_theta")
		r = inner.ropeScaling(v)
		if inner.err != nil {
			v.Fail(inner.err)
		}
	}
	if theta.err != nil {
		v.Fail(theta.err)
	}
	r.Theta = defaultTheta
	if theta.where != "" {
		r.Theta = theta.value
	}
	return r
}

// statement is a number that may be stated in several places.
type statement struct {
	value float64
	where string
	err   error
}

func (s *statement) add(v *Values, key, where string) {
	if s.err != nil || !v.Has(key) {
		return
	}
	var x float64
	v.Float(key, &x)
	switch {
	case v.err != nil:
		s.err = v.err
	case s.where != "" && s.value != x:
		s.err = fmt.Errorf("%s = %v, but %s = %v; remove the wrong one", s.where, s.value, where, x)
	default:
		s.value, s.where = x, where
	}
}

// ropeObject returns the object at key, nil for none. It may be wrapped into one that gives it for each kind of layers.
func (v *Values) ropeObject(key, kind string) *Values {
	inner := &Values{}
	v.Decode(key, &inner.values, "an object")
	if v.err != nil || len(inner.values) == 0 {
		return nil
	}
	if !inner.Has(fullAttention) {
		return inner
	}
	if kind == "" && len(inner.values) > 1 {
		v.Fail(Unsupported("%s for several types of layers: %s", key, fileerr.Name(fmt.Sprint(slices.Sorted(maps.Keys(inner.values))))))
		return nil
	}
	of := inner.ropeObject(cmp.Or(kind, fullAttention), kind)
	if inner.err != nil {
		v.Fail(inner.err)
	}
	return of
}

// editRope changes the objects that say what the rotary embedding is, before they are read.
func (v *Values) editRope(edit func(rope map[string]any)) {
	for _, key := range []string{"rope_parameters", "rope_scaling"} {
		rope := map[string]any{}
		if v.Decode(key, &rope, "an object"); len(rope) == 0 {
			continue
		}
		edit(rope)
		v.values[key], _ = json.Marshal(rope) // of what came from JSON
	}
}

// rotaryDim returns how many elements of a head are rotated, 0 for all.
func (v *Values) rotaryDim(headDim int) int {
	part := statement{}
	part.add(v, partialRotary, partialRotary)
	for _, key := range []string{"rope_parameters", "rope_scaling"} {
		if inner := v.ropeObject(key, fullAttention); inner != nil {
			part.add(inner, partialRotary, key+"."+partialRotary)
		}
	}
	if part.err != nil {
		v.Fail(part.err)
	}
	if part.where == "" || part.value == 1 || v.err != nil {
		return 0
	}
	n := int(float64(headDim) * min(max(part.value, 0), 2))
	if n < 2 || n%2 != 0 || n >= headDim {
		v.Fail(fmt.Errorf("%s = %v of heads of %d is no even part", part.where, part.value, headDim))
		return 0
	}
	return n
}

// ropeScaling reads a scaling in the configuration outer. Whatever it does not use is an error.
func (v *Values) ropeScaling(outer *Values) (r layers.Rope) {
	var kind, older string
	v.Text("rope_type", &kind)
	v.Text("type", &older)
	if kind == "" {
		kind = older
	} else if older != "" && older != kind {
		v.Fail(Unsupported("rope_type = %s with type = %s", fileerr.Quote(kind), fileerr.Quote(older)))
	}
	r.Scaling = layers.RopeScaling(kind)
	switch kind {
	case "", "default":
		r.Scaling = layers.RopeDefault
	case "dynamic":
		r.Scaling = layers.RopeDefault
		v.Has("factor")
	case "linear":
		v.Float("factor", &r.Factor)
		v.Has("original_max_position_embeddings")
	case "llama3":
		v.Float("factor", &r.Factor)
		v.Float("low_freq_factor", &r.LowFreqFactor)
		v.Float("high_freq_factor", &r.HighFreqFactor)
		v.Int("original_max_position_embeddings", &r.OriginalContext)
	case "yarn":
		v.yarn(&r, outer)
	case "longrope", "su":
		r.Scaling = layers.RopeLong
		v.longRope(&r, outer)
	case "factors":
		v.Decode("factors", &r.Factors, "a list of numbers")
	default:
		v.Fail(Unsupported("rope_type = %s", fileerr.Quote(kind)))
	}
	for _, key := range slices.Sorted(maps.Keys(v.values)) {
		if v.asked[key] || string(v.values[key]) == "null" || key == partialRotary {
			continue
		}
		if kind == "" {
			v.Fail(Unsupported("a rotary scaling with %s = %s and without rope_type", fileerr.Name(key), v.show(key)))
		}
		v.Fail(Unsupported("%s = %s with rope_type = %s", fileerr.Name(key), v.show(key), fileerr.Quote(kind)))
	}
	return r
}

// yarn reads what YaRN takes. Its attention factor is 0.1·ln(factor)+1 unless the file gives another, or two of which the quotient counts.
// attn_factor, which GGUF files and DeepSeek's distillations have, multiplies it.
func (v *Values) yarn(r *layers.Rope, outer *Values) {
	r.BetaFast, r.BetaSlow = 32, 1
	v.Float("factor", &r.Factor)
	v.Float("beta_fast", &r.BetaFast)
	v.Float("beta_slow", &r.BetaSlow)
	rounded := true
	v.Bool("truncate", &rounded)
	r.Exact = !rounded
	r.OriginalContext = defaultPositions
	outer.Int("max_position_embeddings", &r.OriginalContext)
	v.Int("original_max_position_embeddings", &r.OriginalContext)
	scale := func(m float64) float64 { return 0.1*m*math.Log(max(r.Factor, 1)) + 1 }
	var mscale, all float64
	v.Float("mscale", &mscale)
	v.Float("mscale_all_dim", &all)
	r.AttentionFactor = scale(1)
	if mscale != 0 && all != 0 {
		r.AttentionFactor = scale(mscale) / scale(all)
	}
	v.Float("attention_factor", &r.AttentionFactor)
	more := 1.0
	v.Float("attn_factor", &more)
	r.AttentionFactor *= more
}

// longRope reads what LongRoPE takes. Its attention factor is √(1 + ln(factor)/ln(original positions)) unless the file gives another.
func (v *Values) longRope(r *layers.Rope, outer *Values) {
	v.Decode("short_factor", &r.Factors, "a list of numbers")
	v.Decode("long_factor", &r.LongFactors, "a list of numbers")
	positions := defaultPositions
	outer.Int("max_position_embeddings", &positions)
	v.Int("original_max_position_embeddings", &r.OriginalContext)
	outer.Int("original_max_position_embeddings", &r.OriginalContext)
	factor := float64(positions) / float64(max(r.OriginalContext, 1))
	if !outer.Has("original_max_position_embeddings") {
		v.Float("factor", &factor)
	}
	v.Has("factor")
	r.AttentionFactor = 1
	if factor > 1 && r.OriginalContext > 1 {
		r.AttentionFactor = math.Sqrt(1 + math.Log(factor)/math.Log(float64(r.OriginalContext)))
	}
	v.Float("attention_factor", &r.AttentionFactor)
}

func isOne(raw json.RawMessage) bool {
	var x float64
	return json.Unmarshal(raw, &x) == nil && x == 1
}

// validateRope reports what no frequencies of dim elements can be computed from, by its name in config.json.
func validateRope(r layers.Rope, dim int) error {
	fault := func(format string, args ...any) error { return fmt.Errorf("rope_scaling: "+format, args...) }
	finite := func(x float64) bool { return x > 0 && !math.IsInf(x, 0) }
	if !(r.Theta >= 1) || math.IsInf(r.Theta, 0) {
		return fmt.Errorf("rope_theta = %v is not a number from 1 on", r.Theta)
	}
	switch r.Scaling {
	case "", layers.RopeDefault:
	case layers.RopeLinear, layers.RopeLlama3, layers.RopeYaRN:
		if !(r.Factor >= 1) || math.IsInf(r.Factor, 0) {
			return fault("factor = %v is not a number from 1 on", r.Factor)
		}
	case layers.RopeFactors, layers.RopeLong:
		if err := validateFactors("factors", r.Factors, dim/2); err != nil {
			return err
		}
	default:
		return Unsupported("rope_type = %s", fileerr.Quote(string(r.Scaling)))
	}
	switch r.Scaling {
	case layers.RopeLlama3:
		if !(finite(r.LowFreqFactor) && finite(r.HighFreqFactor) && r.HighFreqFactor > r.LowFreqFactor) {
			return fault("needs 0 < low_freq_factor = %v < high_freq_factor = %v", r.LowFreqFactor, r.HighFreqFactor)
		}
	case layers.RopeYaRN:
		if !(finite(r.BetaFast) && finite(r.BetaSlow) && r.BetaFast >= r.BetaSlow) || r.Theta == 1 {
			return fault("needs 0 < beta_slow = %v <= beta_fast = %v and rope_theta > 1", r.BetaSlow, r.BetaFast)
		}
	case layers.RopeLong:
		if err := validateFactors("long_factor", r.LongFactors, dim/2); err != nil {
			return err
		}
	default:
		return nil
	}
	switch {
	case r.OriginalContext < 1 || r.OriginalContext > maxPositions:
		return fault("original_max_position_embeddings = %d is outside 1..%d", r.OriginalContext, maxPositions)
	case r.AttentionFactor != 0 && !finite(r.AttentionFactor):
		return fault("attention_factor = %v is not positive", r.AttentionFactor)
	}
	return nil
}

// validateFactors reports divisors of n frequencies that are none.
func validateFactors(key string, factors []float64, n int) error {
	if len(factors) != n {
		return fmt.Errorf("rope_scaling: %d %s, but heads have %d frequencies", len(factors), key, n)
	}
	for i, f := range factors {
		if !(f > 0) || math.IsInf(f, 0) {
			return fmt.Errorf("rope_scaling: %s[%d] = %v is not positive", key, i, f)
		}
	}
	return nil
}
