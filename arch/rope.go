package arch

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/layers"
)

const defaultTheta = 10000

// Rope reads the rotary embedding: rope_theta, and rope_scaling or, in newer files, rope_parameters. Where both are there, the scaling
// is that of rope_scaling. The base may stand in any of them, but has to be the same everywhere.
//
// rope_type is "default", "llama3" or "factors"; the last takes a list `factors` of numbers, one for each frequency, by which the frequencies
// are divided, which is how GGUF files state a scaling.
func (v *Values) Rope() layers.Rope {
	r := layers.Rope{Theta: defaultTheta, Scaling: layers.RopeDefault}
	theta := statement{}
	theta.add(v, "rope_theta", "rope_theta")
	for _, key := range []string{"rope_parameters", "rope_scaling"} { // the later one decides
		inner := v.ropeObject(key)
		if inner == nil {
			continue
		}
		theta.add(inner, "rope_theta", key+".rope_theta")
		r = inner.ropeScaling()
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

// ropeObject returns the object at key, nil for none. It may be wrapped into one that gives it for the only type of layers.
func (v *Values) ropeObject(key string) *Values {
	inner := &Values{}
	v.Decode(key, &inner.values, "an object")
	if v.err != nil || len(inner.values) == 0 {
		return nil
	}
	if !inner.Has(fullAttention) {
		return inner
	}
	if len(inner.values) > 1 {
		v.Fail(Unsupported("%s for several types of layers: %s", key, fileerr.Name(fmt.Sprint(slices.Sorted(maps.Keys(inner.values))))))
		return nil
	}
	only := inner.ropeObject(fullAttention)
	if inner.err != nil {
		v.Fail(inner.err)
	}
	return only
}

// ropeScaling reads a scaling. Whatever it does not use is an error.
func (v *Values) ropeScaling() (r layers.Rope) {
	var kind, older string
	v.Text("rope_type", &kind)
	v.Text("type", &older)
	if kind == "" {
		kind = older
	} else if older != "" && older != kind {
		v.Fail(Unsupported("rope_type = %s with type = %s", fileerr.Quote(kind), fileerr.Quote(older)))
	}
	r.Scaling = layers.RopeScaling(kind)
	switch r.Scaling {
	case "":
		r.Scaling = layers.RopeDefault
	case layers.RopeDefault:
	case layers.RopeLlama3:
		v.Float("factor", &r.Factor)
		v.Float("low_freq_factor", &r.LowFreqFactor)
		v.Float("high_freq_factor", &r.HighFreqFactor)
		v.Int("original_max_position_embeddings", &r.OriginalContext)
	case layers.RopeFactors:
		v.Decode("factors", &r.Factors, "a list of numbers")
	default:
		v.Fail(Unsupported("rope_type = %s", fileerr.Quote(kind)))
	}
	for _, key := range slices.Sorted(maps.Keys(v.values)) {
		if v.asked[key] || string(v.values[key]) == "null" || key == "partial_rotary_factor" && isOne(v.values[key]) {
			continue
		}
		if kind == "" {
			v.Fail(Unsupported("a rotary scaling with %s = %s and without rope_type", fileerr.Name(key), v.show(key)))
		}
		v.Fail(Unsupported("%s = %s with rope_type = %s", fileerr.Name(key), v.show(key), fileerr.Quote(kind)))
	}
	return r
}

func isOne(raw json.RawMessage) bool {
	var x float64
	return json.Unmarshal(raw, &x) == nil && x == 1
}

// validateRope reports what no frequencies can be computed from, by its name in config.json.
func validateRope(r layers.Rope, headDim int) error {
	if !(r.Theta >= 1) || math.IsInf(r.Theta, 0) {
		return fmt.Errorf("rope_theta = %v is not a number from 1 on", r.Theta)
	}
	switch r.Scaling {
	case "", layers.RopeDefault:
	case layers.RopeLlama3:
		switch {
		case !(r.Factor >= 1) || math.IsInf(r.Factor, 0):
			return fmt.Errorf("rope_scaling: factor = %v is not a number from 1 on", r.Factor)
		case !(r.LowFreqFactor > 0 && r.HighFreqFactor > r.LowFreqFactor) || math.IsInf(r.HighFreqFactor, 0):
			return fmt.Errorf("rope_scaling: needs 0 < low_freq_factor = %v < high_freq_factor = %v", r.LowFreqFactor, r.HighFreqFactor)
		case r.OriginalContext < 1 || r.OriginalContext > maxPositions:
			return fmt.Errorf("rope_scaling: original_max_position_embeddings = %d is outside 1..%d", r.OriginalContext, maxPositions)
		}
	case layers.RopeFactors:
		if len(r.Factors) != headDim/2 {
			return fmt.Errorf("rope_scaling: %d factors, but head_dim = %d has %d frequencies", len(r.Factors), headDim, headDim/2)
		}
		for i, f := range r.Factors {
			if !(f > 0) || math.IsInf(f, 0) {
				return fmt.Errorf("rope_scaling: factors[%d] = %v is not positive", i, f)
			}
		}
	default:
		return Unsupported("rope_type = %s", fileerr.Quote(string(r.Scaling)))
	}
	return nil
}
