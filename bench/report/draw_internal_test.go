package report

import (
	"slices"
	"strings"
	"testing"
)

// Numbers at an axis have the decimals that tell them apart, and no more.
func TestEvenTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      []string
	}{
		{0, 500, []string{"0", "250", "500"}},
		{0, 5, []string{"0.0", "2.5", "5.0"}},
		{0, 1, []string{"0.0", "0.5", "1.0"}},
		{90, 100, []string{"90", "95", "100"}},
		{0, 0.5, []string{"0.00", "0.25", "0.50"}},
		{0, 4, []string{"0", "2", "4"}},
	} {
		var got []string
		for _, tick := range (evenly{}).Ticks(c.low, c.high) {
			if tick.Label != "" {
				got = append(got, tick.Label)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("from %v to %v: %q, want %q", c.low, c.high, got, c.want)
		}
	}
}

// Names of a few groups of bars stand in lines, of which each is as short as its words.
func TestNamesOfGroupsInLines(t *testing.T) {
	p := &Plot{Name: "bars", Groups: []string{"UFS 4 measured, NPU", "mid-range, CPU"}, Series: []*Series{{Name: "lever", Y: []float64{1, 2}}}}
	image, err := p.draw("svg", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">UFS 4 measured,<", ">NPU<", ">mid-range,<", ">CPU<"} {
		if !strings.Contains(string(image), want) {
			t.Errorf("no text %q", want)
		}
	}
}
