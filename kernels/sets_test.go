package kernels_test

import (
	"os"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// TestNames walks the table: the function of field F in set S is called fS, or fB where it is inherited from a set B before.
func TestNames(t *testing.T) {
	var suffixes []string
	for _, set := range kernels.Registry() {
		suffixes = append(suffixes, set.Name)
		v := reflect.ValueOf(set)
		for i := range v.NumField() {
			field, f := v.Type().Field(i).Name, v.Field(i)
			switch f.Kind() {
			case reflect.String, reflect.Bool, reflect.Float32:
				continue
			case reflect.Map, reflect.Pointer:
				continue // see TestFormats
			}
			if f.IsNil() {
				t.Errorf("%s: %s is missing", set.Name, field)
				continue
			}
			name := path.Ext(runtime.FuncForPC(f.Pointer()).Name())[1:]
			if !slices.ContainsFunc(suffixes, func(s string) bool { return strings.EqualFold(name, field+s) }) {
				t.Errorf("%s: %s is %s, want %s%s or an inherited one", set.Name, field, name, field, set.Name)
			}
		}
	}
}

// TestFormats: every set multiplies with and reads every packed format, and a set has no more forms than an Input has room for.
func TestFormats(t *testing.T) {
	for _, set := range kernels.Registry() {
		for _, d := range packedTypes {
			m, inForm := set.MatMul[d]
			switch {
			case inForm && (m.Run == nil && m.RunPart == nil || m.Form == nil || m.Form.Name == "" || m.Form.Block == nil):
				t.Errorf("%s: the product with %v lacks its form, the form's name, Block or Run", set.Name, d)
			case d.Quantized() && (!inForm || set.Dequantize[d] == nil):
				t.Errorf("%s: no product with %v, or nothing that reads it", set.Name, d)
			}
		}
		if forms := formsOf(set); len(forms) > kernels.MaxForms {
			t.Errorf("%s: %d forms of activations, where an Input holds %d", set.Name, len(forms), kernels.MaxForms)
		}
	}
}

func TestSets(t *testing.T) {
	order := []string{"ref", "go", "neon", "dotprod", "i8mm", "sme2", "fp16", "avx2", "avx512", "amx"}
	last := -1
	for _, name := range kernels.Sets() {
		at := slices.Index(order, name)
		if at <= last {
			t.Errorf("sets %v: %q is unknown or out of order", kernels.Sets(), name)
		}
		last = at
	}
	if got := kernels.Sets()[:2]; !slices.Equal(got, []string{"ref", "go"}) {
		t.Errorf("the first sets are %v", got)
	}
}

// TestDefault: a set that gives up precision is not taken by itself.
func TestDefault(t *testing.T) {
	if os.Getenv(kernels.EnvVar) == "" && kernels.Default().Table().ByName {
		t.Errorf("%s is the default without being asked for", kernels.Default().Name())
	}
}

func TestNamed(t *testing.T) {
	for _, name := range []string{"", "sse", "REF"} {
		if set, err := kernels.Named(name); set != nil || err == nil || !strings.Contains(err.Error(), "ref, go") {
			t.Errorf("Named(%q) = %v, %v", name, set, err)
		}
	}
	for _, name := range kernels.Sets() {
		if set, err := kernels.Named(name); err != nil || set.Name() != name {
			t.Errorf("Named(%q) = %v, %v", name, set, err)
		}
	}
}

func TestChooseDefault(t *testing.T) {
	if _, err := kernels.ChooseDefault(""); err != nil {
		t.Error(err)
	}
	if set, err := kernels.ChooseDefault("ref"); err != nil || set.Name() != "ref" {
		t.Errorf("%v, %v", set, err)
	}
	if set, err := kernels.ChooseDefault("fast"); set == nil || err == nil || !strings.Contains(err.Error(), `"fast"`) || !strings.Contains(err.Error(), kernels.EnvVar) {
		t.Errorf("an unknown set: %v, %v", set, err)
	}
}

// TestPoolsDiffer: pools with two sets multiply side by side, each as if it were alone.
func TestPoolsDiffer(t *testing.T) {
	const rows, k, n, rounds = 64, 256, 3, 20
	w, _ := randomMatrix(newRand(), tensor.Q4_0, rows, k)
	x := normal(newRand(), n*k)
	var running sync.WaitGroup
	for _, set := range kernels.AllSets() {
		want := multiply(t, alone(set), w, x, n, 0)
		pool := kerneltest.Pool(t, set, 2)
		running.Go(func() {
			var in kernels.Input
			dst := make([]float32, n*rows)
			for range rounds {
				in.Reset(x, n, k)
				kernels.MatMul(pool, dst, rows, w, &in)
				if !slices.Equal(dst, want) {
					t.Errorf("%s: another result beside other sets", set.Name())
				}
			}
		})
	}
	running.Wait()
}
