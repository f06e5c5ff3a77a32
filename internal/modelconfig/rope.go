package modelconfig

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/lever-go/lever/internal/fileerr"
)

// Rope is what a configuration says about the rotary position embedding. Fields are as in package layers.
type Rope struct {
	Theta                                 float64
	Scaling                               string
	Factor, LowFreqFactor, HighFreqFactor float64
	OriginalContext                       int
	Factors                               []float64
}

// The scalings that are understood, as rope_type spells them.
const (
	RopeDefault = "default"
	RopeLlama3  = "llama3"
	RopeFactors = "factors"
)

const defaultTheta = 10000

// rope reads the rotary embedding: rope_theta, and rope_scaling or, in newer files, rope_parameters. Where both are there, the scaling
// is that of rope_scaling. The base may stand in any of them, but has to be the same everywhere.
func (o *object) rope() (Rope, error) {
	r := Rope{Theta: defaultTheta, Scaling: RopeDefault}
	theta := statement{}
	theta.add(o, "rope_theta", "rope_theta")
	for _, key := range []string{"rope_parameters", "rope_scaling"} { // the later one decides
		inner, err := o.ropeObject(key)
		if err != nil {
			return r, err
		}
		if inner == nil {
			continue
		}
		theta.add(inner, "rope_theta", key+".rope_theta")
		r = Rope{Theta: defaultTheta, Scaling: RopeDefault}
		if err := inner.ropeScaling(&r); err != nil {
			return r, err
		}
	}
	if theta.err != nil {
		return r, theta.err
	}
	if theta.where != "" {
		r.Theta = theta.value
	}
	return r, nil
}

// statement is a number that may be stated in several places.
type statement struct {
	value float64
	where string
	err   error
}

func (s *statement) add(o *object, key, where string) {
	if s.err != nil || !o.has(key) {
		return
	}
	var x float64
	o.number(key, &x)
	switch {
	case o.err != nil:
		s.err = o.err
	case s.where != "" && s.value != x:
		s.err = fmt.Errorf("%s = %v, but %s = %v; remove the wrong one", s.where, s.value, where, x)
	default:
		s.value, s.where = x, where
	}
}

// ropeObject returns the object at key, nil for none. It may be wrapped into one that gives it for the only type of layers.
func (o *object) ropeObject(key string) (*object, error) {
	inner := &object{}
	o.decode(key, &inner.values, "an object")
	if o.err != nil || len(inner.values) == 0 {
		return nil, o.err
	}
	if inner.has(fullAttention) {
		if len(inner.values) > 1 {
			return nil, unsupported("%s for several types of layers: %s", key, fileerr.Name(fmt.Sprint(slices.Sorted(maps.Keys(inner.values)))))
		}
		return inner.ropeObject(fullAttention)
	}
	return inner, nil
}

// ropeScaling reads a scaling into r. Whatever it does not use is an error.
func (o *object) ropeScaling(r *Rope) error {
	var kind, older string
	o.decode("rope_type", &kind, "a name")
	o.decode("type", &older, "a name")
	if o.err != nil {
		return o.err
	}
	if kind == "" {
		kind = older
	} else if older != "" && older != kind {
		return unsupported("rope_type = %s with type = %s", fileerr.Quote(kind), fileerr.Quote(older))
	}
	used := map[string]bool{"rope_type": true, "type": true, "rope_theta": true}
	number := func(key string, into *float64) {
		used[key] = true
		o.number(key, into)
	}
	switch kind {
	case "", RopeDefault:
	case RopeLlama3:
		number("factor", &r.Factor)
		number("low_freq_factor", &r.LowFreqFactor)
		number("high_freq_factor", &r.HighFreqFactor)
		used["original_max_position_embeddings"] = true
		o.integer("original_max_position_embeddings", &r.OriginalContext)
	case RopeFactors:
		used["factors"] = true
		o.decode("factors", &r.Factors, "a list of numbers")
	default:
		return unsupported("rope_type = %s", fileerr.Quote(kind))
	}
	if o.err != nil {
		return o.err
	}
	if kind != "" {
		r.Scaling = kind
	}
	for _, key := range slices.Sorted(maps.Keys(o.values)) {
		if used[key] || !o.has(key) || key == "partial_rotary_factor" && isOne(o.values[key]) {
			continue
		}
		if kind == "" {
			return unsupported("a rotary scaling with %s = %s and without rope_type", fileerr.Name(key), o.show(key))
		}
		return unsupported("%s = %s with rope_type = %s", fileerr.Name(key), o.show(key), fileerr.Quote(kind))
	}
	return nil
}

func isOne(raw json.RawMessage) bool {
	var x float64
	return json.Unmarshal(raw, &x) == nil && x == 1
}

func (r Rope) validate(headDim int) error {
	if !(r.Theta >= 1) || math.IsInf(r.Theta, 0) {
		return fmt.Errorf("rope_theta = %v is not a number from 1 on", r.Theta)
	}
	switch r.Scaling {
	case "", RopeDefault:
	case RopeLlama3:
		switch {
		case !(r.Factor >= 1) || math.IsInf(r.Factor, 0):
			return fmt.Errorf("rope_scaling: factor = %v is not a number from 1 on", r.Factor)
		case !(r.LowFreqFactor > 0 && r.HighFreqFactor > r.LowFreqFactor) || math.IsInf(r.HighFreqFactor, 0):
			return fmt.Errorf("rope_scaling: needs 0 < low_freq_factor = %v < high_freq_factor = %v", r.LowFreqFactor, r.HighFreqFactor)
		case r.OriginalContext < 1 || r.OriginalContext > maxPositions:
			return fmt.Errorf("rope_scaling: original_max_position_embeddings = %d is outside 1..%d", r.OriginalContext, maxPositions)
		}
	case RopeFactors:
		if len(r.Factors) != headDim/2 {
			return fmt.Errorf("rope_scaling: %d factors, but head_dim = %d has %d frequencies", len(r.Factors), headDim, headDim/2)
		}
		for i, f := range r.Factors {
			if !(f > 0) || math.IsInf(f, 0) {
				return fmt.Errorf("rope_scaling: factors[%d] = %v is not positive", i, f)
			}
		}
	default:
		return unsupported("rope_type = %s", fileerr.Quote(r.Scaling))
	}
	return nil
}
