package grammar

import (
	"fmt"
	"math/big"
	"strings"
)

// decimals makes the automaton of the decimal numbers from low to high, neither of which is negative. Its nodes are as few as can be: they are made
// from the last digit to the first, and those with the same ways on are one.
type decimals struct {
	*builder
	low, high boundDigits
	integer   bool
	// The digits of a number with all its places after the point make a multiple of modulus.
	modulus int64
	places  int // as many as there may be; negative if only exactDigits counts

	to    int32
	nodes map[digitState]int32
	same  map[digitWays]int32
}

// boundDigits are those of a bound.
type boundDigits struct {
	whole, fraction string
	open            bool
}

// digitState is what matters of the digits so far.
type digitState struct {
	n         int  // digits so far: of the whole, or after the point
	point     bool // it has come
	left      int  // digits that may follow the point
	low, high int8 // how the digits compare with those of the bound
	zero      bool // the whole is 0
	rest      int64
}

// digitWays are the nodes after each digit and after the point, and whether the number may end.
type digitWays struct {
	next [10]int32
	dot  int32
	ends bool
}

const nowhere = -1

// digitSteps are those of a state.
const digitSteps = 64

// digits returns those of a bound that is not negative. Where two numbers could be the same 64-bit float, a bound that is left out itself moves, up
// or down, to one of few digits: those who check may compare floats.
func (b bound) digits(up, integer bool) boundDigits {
	places, _ := b.at.FloatPrec()
	whole, fraction, _ := strings.Cut(b.at.FloatString(places), ".")
	all := strings.TrimLeft(whole+fraction, "0")
	if drop := len(all) - exactDigits; b.open && !integer && len(strings.TrimRight(all, "0")) > exactDigits {
		unit := new(big.Rat).SetFrac(power(drop), power(len(fraction)))
		steps := new(big.Rat).Quo(b.at, unit)
		n := new(big.Int).Quo(steps.Num(), steps.Denom())
		if up {
			n.Add(n, big.NewInt(1))
		}
		return bound{unit.Mul(unit, new(big.Rat).SetInt(n)), true}.digits(up, integer)
	}
	return boundDigits{whole, fraction, b.open}
}

// magnitudes takes the decimal numbers of n from low to high, and reports whether there is one.
func (b *builder) magnitudes(from int32, low, high bound, n numbers, to int32) (found bool, err error) {
	d := &decimals{
		builder: b, low: low.digits(true, n.integer), high: high.digits(false, n.integer), integer: n.integer, modulus: 1, places: -1, to: to,
		nodes: map[digitState]int32{}, same: map[digitWays]int32{},
	}
	if n.multiple != nil {
		d.places, _ = n.multiple.FloatPrec()
		scaled := new(big.Rat).Mul(n.multiple, new(big.Rat).SetInt(power(d.places))).Num()
		if !scaled.IsInt64() || scaled.Int64() > maxPlaces {
			return false, fmt.Errorf("multiples of %s in so large a range: %w", n.multiple.RatString(), ErrUnsupported)
		}
		d.modulus = scaled.Int64()
	}
	start := d.node(digitState{})
	if d.work.err != nil {
		return false, d.work.err
	}
	if len(d.nodes) > maxPlaces {
		return false, fmt.Errorf("multiples of %s in so large a range: %w", n.multiple.RatString(), ErrUnsupported)
	}
	if start == nowhere {
		return false, nil
	}
	b.skip(from, start)
	return true, nil
}

// power returns a power of ten.
func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// node returns the node of a state, or nowhere if no number goes on from it.
func (d *decimals) node(s digitState) int32 {
	if n, ok := d.nodes[s]; ok {
		return n
	}
	if len(d.nodes) > maxPlaces || !d.work.do(digitSteps) {
		return nowhere
	}
	d.nodes[s] = nowhere
	ways := digitWays{dot: nowhere, ends: d.ends(s)}
	found := ways.ends
	for digit := range ways.next {
		ways.next[digit] = nowhere
		if next, ok := d.digit(s, digit); ok {
			ways.next[digit] = d.node(next)
		}
		found = found || ways.next[digit] != nowhere
	}
	if next, ok := d.point(s); ok {
		ways.dot = d.node(next)
		found = found || ways.dot != nowhere
	}
	if !found {
		return nowhere
	}
	n, ok := d.same[ways]
	if !ok {
		n = d.write(ways)
		d.same[ways] = n
	}
	d.nodes[s] = n
	return n
}

// write makes a node.
func (d *decimals) write(ways digitWays) int32 {
	n := d.builder.node()
	if ways.ends {
		d.skip(n, d.to)
	}
	if ways.dot != nowhere {
		d.span(n, '.', '.', ways.dot)
	}
	for lo := 0; lo < 10; {
		hi := lo
		for hi < 9 && ways.next[hi+1] == ways.next[lo] {
			hi++
		}
		if ways.next[lo] != nowhere {
			d.span(n, byte('0'+lo), byte('0'+hi), ways.next[lo])
		}
		lo = hi + 1
	}
	return n
}

// compare returns how the whole so far compares with a whole of a bound, if it is complete.
func (s digitState) compare(with int8, whole string) int8 {
	switch {
	case s.point:
		return with
	case s.n < len(whole):
		return -1
	case s.n > len(whole):
		return 1
	}
	return with
}

// ends reports whether the number may be complete.
func (d *decimals) ends(s digitState) bool {
	if s.n == 0 {
		return false
	}
	done := 0 // digits after the point
	if s.point {
		done = s.n
	}
	switch low := s.compare(s.low, d.low.whole); {
	case low < 0, low == 0 && (d.low.open || remains(d.low.fraction, done)):
		return false
	}
	switch high := s.compare(s.high, d.high.whole); {
	case high > 0, high == 0 && d.high.open && !remains(d.high.fraction, done):
		return false
	}
	rest := s.rest
	for range d.places - done {
		rest = rest * 10 % d.modulus
	}
	return rest == 0
}

// remains reports whether a fraction has a digit other than 0 beyond some.
func remains(fraction string, done int) bool {
	return done < len(fraction) && strings.Trim(fraction[done:], "0") != ""
}

// digit returns the state after a digit.
func (d *decimals) digit(s digitState, digit int) (next digitState, ok bool) {
	next = s
	next.n++
	next.rest = (s.rest*10 + int64(digit)) % d.modulus
	if s.point {
		next.left--
		next.low, next.high = against(s.low, d.low.fraction, s.n, digit), against(s.high, d.high.fraction, s.n, digit)
		return next, s.left > 0 && next.low >= 0 && next.high <= 0
	}
	next.zero = s.n == 0 && digit == 0
	next.low, next.high = against(s.low, d.low.whole, s.n, digit), against(s.high, d.high.whole, s.n, digit)
	if next.n > len(d.low.whole) {
		next.low = 1
	}
	return next, !s.zero && (next.n < len(d.high.whole) || next.n == len(d.high.whole) && next.high <= 0)
}

// against returns how digits compare with those of a bound after one more.
func against(before int8, of string, at, digit int) int8 {
	other := 0
	if at < len(of) {
		other = int(of[at] - '0')
	}
	switch {
	case before != 0 || digit == other:
		return before
	case digit < other:
		return -1
	}
	return 1
}

// point returns the state after the point.
func (d *decimals) point(s digitState) (next digitState, ok bool) {
	left := exactDigits
	if !s.zero {
		left -= s.n
	}
	if d.places >= 0 {
		left = min(left, d.places)
	}
	low, high := s.compare(s.low, d.low.whole), s.compare(s.high, d.high.whole)
	return digitState{point: true, left: left, low: low, high: high, rest: s.rest}, s.n > 0 && !s.point && !d.integer && left > 0 && low >= 0 && high <= 0
}
