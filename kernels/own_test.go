package kernels_test

import (
	"reflect"
	"slices"
	"testing"
	"unsafe"

	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// eachOwn is kerneltest.Each, but skips a set that has nothing of its own but products with packed weights: a test of anything else would see the
// same functions again.
func eachOwn(t *testing.T, op string, f func(t *testing.T, set *kernels.Set)) {
	t.Helper()
	kerneltest.Each(t, op, func(t *testing.T, set *kernels.Set) {
		if before := setBefore(set); before != nil && !hasOwn(reflect.ValueOf(*set.Table()), reflect.ValueOf(*before)) {
			t.Skip("the set before has the same functions")
		}
		f(t, set)
	})
}

// hasOwn reports whether a table has a function that another one has not, beside those that multiply with packed weights.
func hasOwn(set, before reflect.Value) bool {
	for i := range set.NumField() {
		name := set.Type().Field(i).Name
		if set.Field(i).Kind() == reflect.Func && name != "MatMulF16F32" && set.Field(i).Pointer() != before.Field(i).Pointer() {
			return true
		}
	}
	return false
}

// setBefore returns the table of the set that a set inherits from, nil of the first.
func setBefore(set *kernels.Set) *table.Kernels {
	all := kernels.AllSets()
	if i := slices.Index(all, set); i > 0 {
		return all[i-1].Table()
	}
	return nil
}

// ownProducts are the types of weights whose product a set does not inherit.
func ownProducts(set *kernels.Set) []tensor.DType {
	before := setBefore(set)
	return slices.DeleteFunc(slices.Clone(packedTypes), func(d tensor.DType) bool {
		if before == nil {
			return false
		}
		own, inForm := set.Table().MatMul[d]
		if !inForm {
			return reflect.ValueOf(set.Table().MatMulF16F32).Pointer() == reflect.ValueOf(before.MatMulF16F32).Pointer()
		}
		other := before.MatMul[d]
		return own.Form == other.Form && sameFunc(own.Run, other.Run) && sameFunc(own.RunPart, other.RunPart) && sameFunc(own.Unpack.Run, other.Unpack.Run)
	})
}

// sameFunc reports whether two functions are one, with the same variables.
func sameFunc[F any](a, b F) bool {
	return *(*unsafe.Pointer)(unsafe.Pointer(&a)) == *(*unsafe.Pointer)(unsafe.Pointer(&b))
}

// TestOwnProducts: what is skipped as inherited is; of a set that changes one product, that one is its own.
func TestOwnProducts(t *testing.T) {
	for i, set := range kernels.AllSets() {
		own := ownProducts(set)
		switch name := set.Name(); {
		case i < 2 && !slices.Equal(own, packedTypes):
			t.Errorf("%s has products of its own with %v, not with all", name, own)
		case name == "fp16" && !slices.Equal(own, []tensor.DType{tensor.F16}):
			t.Errorf("%s has products of its own with %v, not with F16 alone", name, own)
		case name != "fp16" && !slices.Contains(own, tensor.Q4_0):
			t.Errorf("%s has no product of its own with Q4_0", name)
		}
	}
}
