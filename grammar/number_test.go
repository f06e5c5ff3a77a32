package grammar

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// decimalText draws a number with a few digits, near those that others have.
func decimalText(t *rapid.T, label string) string {
	whole := rapid.SampledFrom([]string{"0", "1", "2", "9", "10", "12", "99", "100", "123", "1200"}).Draw(t, label)
	fraction := rapid.SampledFrom([]string{"", "", "", ".0", ".5", ".05", ".12", ".125", ".9"}).Draw(t, label+" fraction")
	sign := rapid.SampledFrom([]string{"", "-"}).Draw(t, label+" sign")
	return sign + whole + fraction
}

// Of the numbers with few digits, those can be written that are in the range: all of them, and no others.
func TestNumbersThatCanBeWritten(t *testing.T) {
	v := testVocabulary(t)
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"integer", "number"}).Draw(t, "type")
		schema := `{"type": "` + kind + `"`
		var conditions []func(x *big.Rat) bool
		condition := func(keyword, text string, holds func(x, bound *big.Rat) bool) {
			schema += fmt.Sprintf(`, "%s": %s`, keyword, text)
			bound, ok := new(big.Rat).SetString(text)
			if !ok {
				t.Fatal(text)
			}
			conditions = append(conditions, func(x *big.Rat) bool { return holds(x, bound) })
		}
		for _, bound := range []struct {
			keyword string
			holds   func(x, bound *big.Rat) bool
		}{
			{"minimum", func(x, bound *big.Rat) bool { return x.Cmp(bound) >= 0 }},
			{"maximum", func(x, bound *big.Rat) bool { return x.Cmp(bound) <= 0 }},
			{"exclusiveMinimum", func(x, bound *big.Rat) bool { return x.Cmp(bound) > 0 }},
			{"exclusiveMaximum", func(x, bound *big.Rat) bool { return x.Cmp(bound) < 0 }},
		} {
			if rapid.IntRange(0, 2).Draw(t, bound.keyword) == 0 {
				condition(bound.keyword, decimalText(t, bound.keyword), bound.holds)
			}
		}
		if rapid.IntRange(0, 2).Draw(t, "multiple") == 0 {
			multiple := rapid.SampledFrom([]string{"1", "2", "3", "7", "10", "25", "0.5", "0.1", "0.25", "1.5", "100"}).Draw(t, "multipleOf")
			condition("multipleOf", multiple, func(x, bound *big.Rat) bool { return new(big.Rat).Quo(x, bound).IsInt() })
		}
		if len(conditions) == 0 {
			return
		}
		in := func(x *big.Rat) bool {
			for _, holds := range conditions {
				if !holds(x) {
					return false
				}
			}
			return kind == "number" || x.IsInt()
		}
		g, err := v.JSONSchema(context.Background(), []byte(schema+"}"))
		if err != nil && !errors.Is(err, errNoNumber) {
			t.Fatalf("%s}: %v", schema, err)
		}
		check := func(text string) {
			x, ok := new(big.Rat).SetString(text)
			if !ok {
				t.Fatal(text)
			}
			if can := err == nil && accepts(g, text); can != in(x) {
				t.Fatalf("%s}: %s can be written: %v", schema, text, can)
			}
		}
		for i := range 1210 {
			if i > 130 && i < 1190 {
				continue
			}
			check(strconv.Itoa(i))
			if i > 0 {
				check("-" + strconv.Itoa(i))
			}
		}
		if kind == "number" && !strings.Contains(schema, "multipleOf") { // multiples may be listed, in their shortest form
			for _, fraction := range []string{"5", "05", "12", "125", "124", "0001", "126", "999", "10"} {
				for _, whole := range []string{"0", "1", "9", "12", "99", "-0", "-1", "-9", "-12", "-99", "-100", "122", "123"} {
					check(whole + "." + fraction)
				}
			}
		}
	})
}

// Ranges of any size are a few nodes, and exact at their ends.
func TestLargeRanges(t *testing.T) {
	v := testVocabulary(t)
	for _, c := range []struct {
		low, high string
		nodes     int
	}{
		{"-9007199254740991", "9007199254740991", 80}, {"-9223372036854775808", "9223372036854775807", 90}, {"0", "4294967295", 30},
		{"-123456789012345678901234567890", "-98765432109876543210", 150}, {"1000000000000000000000", "1000000000000000000001", 80},
	} {
		g, err := v.JSONSchema(context.Background(), []byte(`{"type": "integer", "minimum": `+c.low+`, "maximum": `+c.high+`}`))
		if err != nil {
			t.Error(err)
			continue
		}
		if n := len(g.automaton.nodes); n > c.nodes {
			t.Errorf("%s to %s: %d nodes, more than %d", c.low, c.high, n, c.nodes)
		}
		low, _ := new(big.Int).SetString(c.low, 10)
		high, _ := new(big.Int).SetString(c.high, 10)
		one := big.NewInt(1)
		for _, end := range []*big.Int{low, high} {
			for _, x := range []*big.Int{new(big.Int).Sub(end, one), end, new(big.Int).Add(end, one)} {
				in := x.Cmp(low) >= 0 && x.Cmp(high) <= 0
				if can := accepts(g, x.String()); can != in {
					t.Errorf("%s to %s: %s can be written: %v", c.low, c.high, x, can)
				}
			}
		}
	}
}

// What is written is on the right side of a bound as 64-bit floats, too, which most who read it compare.
func TestBoundsOfFloats(t *testing.T) {
	v := testVocabulary(t)
	for _, c := range []struct {
		schema  string
		yes, no []string
	}{
		{`{"type": "number", "exclusiveMinimum": 0}`, []string{"0.00000000000001", "5", "0.10"}, []string{"0", "-0", "0.0", "-1", "0.000", "1e5"}},
		{`{"type": "number", "minimum": 0}`, []string{"0", "0.0", "1.5"}, []string{"-0", "-0.0", "-0.1"}},
		{`{"type": "number", "maximum": 0}`, []string{"0", "0.0", "-0.5", "-12"}, []string{"-0", "0.1"}},
		{`{"type": "number", "exclusiveMaximum": 1}`, []string{"0.999999999999999", "-5"}, []string{"1", "1.0", "0.99999999999999999", "0.9999999999999999999999"}},
		{`{"type": "number", "exclusiveMaximum": 0.3000000000000000166}`, []string{"0.299999999999999"}, []string{"0.3", "0.30", "0.3000000000000000"}},
		{`{"type": "number", "minimum": -1.7976931348623157e308, "maximum": 1.7976931348623157e308}`, []string{"-0", "1e99", "-2.5E-3"}, []string{"1e999"}},
		{`{"type": "number", "minimum": -3.4028234663852886e38}`, []string{"-0.5", "123456789012345"}, []string{"1e39", "-0"}},
	} {
		g, err := v.JSONSchema(context.Background(), []byte(c.schema))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, text := range c.yes {
			if !accepts(g, text) {
				t.Errorf("%s: %s can't be written", c.schema, text)
			}
		}
		for _, text := range c.no {
			if accepts(g, text) {
				t.Errorf("%s: %s can be written", c.schema, text)
			}
		}
	}
}

// A range that comes often is one rule.
func TestRangesAreShared(t *testing.T) {
	v := testVocabulary(t)
	nodes := func(n int) int {
		property := `": {"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991}`
		schema := `{"type": "object", "properties": {"`
		for i := range n {
			schema += strconv.Itoa(i) + property + `, "`
		}
		g, err := v.JSONSchema(context.Background(), []byte(schema+"last"+property+"}}"))
		if err != nil {
			t.Fatal(err)
		}
		return len(g.automaton.nodes)
	}
	if one, ten := nodes(0), nodes(9); ten > one+9*20 {
		t.Errorf("%d nodes for one integer, %d for ten", one, ten)
	}
}
