package kernels_test

import (
	"os"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
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
			case reflect.String, reflect.Bool:
				continue
			case reflect.Struct:
				if f.IsZero() && field == "MatMulF16F16" {
					continue
				}
				form := f.FieldByName("Form").Elem()
				if form.FieldByName("Name").String() == "" || form.FieldByName("Block").IsNil() {
					t.Errorf("%s: form of %s lacks its name or Block", set.Name, field)
				}
				f = f.FieldByName("Run")
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

func TestSets(t *testing.T) {
	order := []string{"ref", "go", "neon", "dotprod", "i8mm", "fp16", "avx2", "avx512", "amx"}
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
	if os.Getenv(kernels.EnvVar) == "" && kernels.Active().ByName {
		t.Errorf("%s is in use without being asked for", kernels.Features())
	}
}

func TestSelect(t *testing.T) {
	before := kernels.Features()
	for _, name := range []string{"", "sse", "REF"} {
		if err := kernels.Select(name); err == nil || !strings.Contains(err.Error(), "ref, go") {
			t.Errorf("Select(%q) = %v", name, err)
		}
		if kernels.Features() != before {
			t.Fatalf("a failed Select left %q in use", kernels.Features())
		}
	}
	for _, name := range kernels.Sets() {
		kerneltest.Use(t, name)
		if kernels.Features() != name {
			t.Errorf("%q in use after Select(%q)", kernels.Features(), name)
		}
	}
}

func TestSelectFromEnv(t *testing.T) {
	kerneltest.Use(t, kernels.Features())
	if err := kernels.SelectFromEnv(""); err != nil {
		t.Error(err)
	}
	if err := kernels.SelectFromEnv("ref"); err != nil || kernels.Features() != "ref" {
		t.Errorf("%v, %q in use", err, kernels.Features())
	}
	if err := kernels.SelectFromEnv("fast"); err == nil || !strings.Contains(err.Error(), `"fast"`) || !strings.Contains(err.Error(), kernels.EnvVar) {
		t.Errorf("error of an unknown set: %v", err)
	}
}
