package grammar

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Limits of numbers.
const (
	maxExponent  = 400     // of a bound, in powers of ten
	exactDigits  = 15      // of a decimal number that no other one shares its 64-bit float with
	maxPlaces    = 1 << 14 // of the automaton of one range
	maxMultiples = 4096    // that are listed one by one
)

// beyondFloats is more than any number that is written without bounds.
var beyondFloats = new(big.Rat).SetInt(power(maxDigits + 100))

// whole reports whether a number is written as most integers are, in the only way in which they can be without an exponent or a fraction.
func whole(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if len(digits) > maxExponent || digits == "" || digits[0] == '0' && text != "0" {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// rational returns what a number is.
func rational(text string) (*big.Rat, error) {
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n < -maxExponent || n > maxExponent {
			return nil, fmt.Errorf("the exponent of %s is outside ±%d: %w", text, maxExponent, ErrUnsupported)
		}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || len(text) > 2*maxExponent {
		return nil, fmt.Errorf("the number %.40s: %w", text, ErrUnsupported)
	}
	return r, nil
}

// bound is the end of a range.
type bound struct {
	at   *big.Rat // nil if there is none
	open bool     // at itself is outside
}

// numbers is a set of numbers: those of a range, which are a multiple of some number, if that is not nil.
type numbers struct {
	low, high bound
	multiple  *big.Rat
	integer   bool
}

// contains reports whether a number is in the set.
func (n *numbers) contains(r *big.Rat) bool {
	if n.low.at != nil && (r.Cmp(n.low.at) < 0 || n.low.open && r.Cmp(n.low.at) == 0) {
		return false
	}
	if n.high.at != nil && (r.Cmp(n.high.at) > 0 || n.high.open && r.Cmp(n.high.at) == 0) {
		return false
	}
	return (n.multiple == nil || new(big.Rat).Quo(r, n.multiple).IsInt()) && (!n.integer || r.IsInt())
}

// raise makes low the lower end, and lower makes high the upper one, if that leaves less.
func (n *numbers) raise(low bound) {
	if n.low.at == nil || low.at.Cmp(n.low.at) > 0 || low.open && low.at.Cmp(n.low.at) == 0 {
		n.low = low
	}
}

func (n *numbers) lower(high bound) {
	if n.high.at == nil || high.at.Cmp(n.high.at) < 0 || high.open && high.at.Cmp(n.high.at) == 0 {
		n.high = high
	}
}

// divide leaves only the multiples of m.
func (n *numbers) divide(m *big.Rat) {
	if n.multiple == nil {
		n.multiple = m
		return
	}
	// The least common multiple of a/b and c/d is that of a·d and c·b, over b·d.
	a, b := new(big.Int).Mul(n.multiple.Num(), m.Denom()), new(big.Int).Mul(m.Num(), n.multiple.Denom())
	common := new(big.Int).GCD(nil, nil, a, b)
	n.multiple = new(big.Rat).SetFrac(a.Mul(a, b.Div(b, common)), new(big.Int).Mul(n.multiple.Denom(), m.Denom()))
}

// String returns a text that tells sets apart.
func (n *numbers) String() string {
	return fmt.Sprint(n.low.at, n.low.open, n.high.at, n.high.open, n.multiple, n.integer)
}

// bounded returns the set with two closed ends, or open ones that are no integers. What is left out is never written.
func (n numbers) bounded() numbers {
	if n.multiple != nil && n.integer {
		n.multiple = new(big.Rat).SetInt(n.multiple.Num()) // of k·a/b, the integers are the multiples of a
	}
	if n.integer || n.multiple != nil && n.multiple.IsInt() {
		n.integer = true
		if n.low.at != nil {
			n.low = bound{at: up(n.low)}
		}
		if n.high.at != nil {
			n.high = bound{at: new(big.Rat).Neg(up(bound{new(big.Rat).Neg(n.high.at), n.high.open}))}
		}
	}
	if n.low.at == nil {
		n.low.at = new(big.Rat).Neg(most(n.high))
	}
	if n.high.at == nil {
		n.high.at = most(n.low)
	}
	return n
}

// up returns the least integer in a range with this lower end.
func up(low bound) *big.Rat {
	i, rest := new(big.Int).DivMod(low.at.Num(), low.at.Denom(), new(big.Int))
	if rest.Sign() != 0 || low.open {
		i.Add(i, big.NewInt(1))
	}
	return new(big.Rat).SetInt(i)
}

// most returns the largest integer of as many digits as a number has without bounds, or of one more than the other end.
func most(other bound) *big.Rat {
	n := maxDigits
	if other.at != nil {
		whole := new(big.Int).Quo(other.at.Num(), other.at.Denom())
		n = max(n, len(whole.Abs(whole).String())+1)
	}
	return new(big.Rat).SetInt(new(big.Int).Sub(power(n), big.NewInt(1)))
}

// unbounded reports whether the set has all that a number of its kind is without bounds.
func (n *numbers) unbounded() bool {
	return n.multiple == nil && (n.low.at == nil || n.low.at.Cmp(new(big.Rat).Neg(beyondFloats)) < 0) && (n.high.at == nil || n.high.at.Cmp(beyondFloats) > 0)
}

// Errors that say that a set is empty.
var (
	errNoNumber = errors.New("no number is in that range")
	errNoString = errors.New("no string of the wanted length matches")
)

// numbers takes a number of a set, in its usual form: without an exponent, and without a point if it is an integer by its type. There are at most
// exactDigits digits if there is a point.
func (b *builder) numbers(from int32, n numbers) (to int32, err error) {
	if !b.work.do(numberSteps) {
		return 0, b.work.err
	}
	n = n.bounded()
	if n.multiple != nil {
		if list, ok := n.list(); ok && len(list) == 0 {
			return 0, errNoNumber
		} else if ok {
			return b.either(from, list), nil
		}
	}
	to = b.node()
	zero := new(big.Rat)
	found := false
	if n.high.at.Sign() > 0 || n.high.at.Sign() == 0 && !n.high.open {
		low := n.low
		if low.at.Sign() < 0 {
			low = bound{at: zero}
		}
		if found, err = b.magnitudes(from, low, n.high, n, to); err != nil {
			return 0, err
		}
	}
	if n.low.at.Sign() < 0 {
		// What is below zero is what is above, beyond the sign. There is no -0.
		low, high := bound{at: zero, open: true}, bound{new(big.Rat).Neg(n.low.at), n.low.open}
		if n.high.at.Sign() < 0 {
			low = bound{new(big.Rat).Neg(n.high.at), n.high.open}
		} else if n.integer {
			low = bound{at: big.NewRat(1, 1)}
		}
		minus := b.node()
		negative, err := b.magnitudes(minus, low, high, n, to)
		if err != nil {
			return 0, err
		}
		if negative {
			b.span(from, '-', '-', minus)
		}
		found = found || negative
	}
	if !found {
		return 0, errNoNumber
	}
	return to, nil
}

// list returns the numbers of a set of multiples, if they are few.
func (n *numbers) list() (texts []string, ok bool) {
	places, finite := n.multiple.FloatPrec()
	first := up(bound{at: new(big.Rat).Quo(n.low.at, n.multiple)}).Num()
	last := new(big.Rat).Quo(n.high.at, n.multiple)
	end := new(big.Int).Add(first, big.NewInt(maxMultiples))
	if !finite || new(big.Rat).SetInt(end).Cmp(last) < 0 {
		return nil, false
	}
	for i := first; new(big.Rat).SetInt(i).Cmp(last) <= 0; i.Add(i, big.NewInt(1)) {
		r := new(big.Rat).Mul(new(big.Rat).SetInt(i), n.multiple)
		if !n.contains(r) {
			continue
		}
		text := r.FloatString(places)
		if places > 0 {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		texts = append(texts, text)
	}
	return texts, true
}
