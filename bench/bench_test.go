package bench_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/internal/testdata"
)

func TestLoadSets(t *testing.T) {
	sets, err := bench.LoadSets(testdata.Shared(t, "data/prompts"))
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sets {
		if s.Name != bench.SetNames[i] || len(s.Prompts) < 20 {
			t.Errorf("set %d is %s with %d prompts", i, s.Name, len(s.Prompts))
		}
		for _, p := range s.Prompts {
			if p.ID == "" || p.Text == "" || p.Raw != (s.Name == "humaneval") {
				t.Errorf("%s: %+v", s.Name, p)
			}
		}
	}
}

func TestLoadSetsErrors(t *testing.T) {
	if _, err := bench.LoadSets(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
	for name, text := range map[string]string{
		"no JSON":    "prompt\n",
		"no text":    `{"id": "1"}`,
		"no prompts": "",
		"wrong type": `{"id": "1", "prompt": ["a"]}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "gsm8k.jsonl"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := bench.LoadSets(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestBuiltinSetsAreLikeTheLoaded(t *testing.T) {
	for i, s := range bench.BuiltinSets() {
		if s.Name != bench.SetNames[i] || len(s.Prompts) == 0 || s.Prompts[0].Text == "" {
			t.Errorf("set %d: %+v", i, s)
		}
	}
}

func TestStatistics(t *testing.T) {
	if got := bench.Quantile([]float64{4, 1, 3, 2}, 0.25); got != 1.75 {
		t.Errorf("first quartile %v", got)
	}
	for _, none := range []float64{bench.Median(nil), bench.GeometricMean(nil)} {
		if !math.IsNaN(none) {
			t.Errorf("%v of no values", none)
		}
	}
}

func ExampleMedian() {
	fmt.Println(bench.Median([]float64{3, 1, 2}), bench.Median([]float64{4, 1, 3, 2}))
	// Output: 2 2.5
}

func ExampleGeometricMean() {
	fmt.Printf("%.2f\n", bench.GeometricMean([]float64{2, 4.5}))
	// Output: 3.00
}
