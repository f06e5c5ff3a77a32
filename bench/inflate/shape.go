package inflate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/tensor"
)

// Shape is the size of a model, in elements.
type Shape struct {
	Name           string
	Width, Layers  int
	Heads, KVHeads int
	HeadDim        int
	FFN, Vocab     int
	Experts        int // of a block, in place of its MLP, each with the inner width FFN; 0 means that there are none
	Chosen         int // experts of a row
}

// Shapes are those of models that exist, two between them and the demo, a target and its draft, and a small one with experts. The experts of
// qwen3-30b-a3b have an inner width of 768 in the model that exists; here they hold the MLP of the demo, which is wider.
var Shapes = []Shape{
	{"llama-3.1-8b", 4096, 32, 32, 8, 128, 14336, 128256, 0, 0},
	{"llama-3.2-1b", 2048, 16, 32, 8, 64, 8192, 128256, 0, 0},
	{"llama-3.2-3b", 3072, 28, 24, 8, 128, 8192, 128256, 0, 0},
	{"qwen3-0.6b", 1024, 28, 16, 8, 128, 3072, 151936, 0, 0},
	{"qwen3-8b", 4096, 36, 32, 8, 128, 12288, 151936, 0, 0},
	{"qwen3-14b", 5120, 40, 40, 8, 128, 17408, 151936, 0, 0},
	{"mid", 1536, 16, 12, 4, 128, 4096, 32000, 0, 0},
	{"qwen3-30b-a3b", 2048, 48, 32, 4, 128, 1024, 151936, 128, 8},
	{"mid-draft", 512, 6, 8, 2, 64, 1536, 32000, 0, 0},
	{"small-moe", 512, 9, 6, 2, 128, 1024, 4608, 16, 2},
}

// Same is the shape that leaves a model as large as it is.
const Same = "same"

// ShapeNames returns the names that [ShapeOf] knows.
func ShapeNames() []string {
	names := []string{Same}
	for _, s := range Shapes {
		names = append(names, s.Name)
	}
	return names
}

// ShapeOf returns the shape of that name, one of [ShapeNames].
func ShapeOf(name string) (Shape, error) {
	if name == Same {
		return Shape{Name: Same}, nil
	}
	i := slices.IndexFunc(Shapes, func(s Shape) bool { return s.Name == name })
	if i < 0 {
		return Shape{}, fmt.Errorf("inflate: no shape %q: choose from %s", name, strings.Join(ShapeNames(), ", "))
	}
	return Shapes[i], nil
}

// fit returns the configuration of a model of shape s, with matrices of type d, that src is placed in.
func (s Shape) fit(src arch.Transformer, d tensor.DType) (arch.Transformer, error) {
	if s.Name == Same {
		s = Shape{s.Name, src.Width, src.Layers, src.Heads, src.KVHeads, src.HeadDim, src.FFN, src.Vocab, 0, 0}
	}
	dst := src
	dst.Width, dst.Layers, dst.FFN, dst.Vocab = s.Width, s.Layers, s.FFN, s.Vocab
	dst.Experts, dst.Chosen = s.Experts, s.Chosen
	dst.Heads, dst.KVHeads = s.Heads*s.HeadDim/src.HeadDim, s.KVHeads*s.HeadDim/src.HeadDim
	bad := func(what string) (arch.Transformer, error) {
		return dst, fmt.Errorf("inflate: a model of width %d, %d layers, %d/%d heads of %d, FFN %d and %d tokens does not fit into %s: %s",
			src.Width, src.Layers, src.Heads, src.KVHeads, src.HeadDim, src.FFN, src.Vocab, s.Name, what)
	}
	switch {
	case dst.Width < src.Width+blockElems && s.Name != Same || dst.Layers < src.Layers || dst.FFN < src.FFN || dst.Vocab < src.Vocab || dst.Experts < dst.Chosen:
		return bad("it is not larger in every way")
	case dst.KVHeads == 0 || dst.Heads%dst.KVHeads != 0:
		return bad("its heads are larger than all of the shape's")
	case src.KVHeads*copies(src, dst) > dst.KVHeads:
		return bad("it has too few heads of keys and values")
	case slices.ContainsFunc([]int{src.Width, src.FFN, src.HeadDim}, func(n int) bool { return n%blockElems != 0 }):
		return bad(fmt.Sprintf("a size of it is not a multiple of %d", blockElems))
	case slices.ContainsFunc([]int{dst.Width, dst.FFN, dst.Heads * dst.HeadDim}, func(n int) bool { return n%d.BlockElems() != 0 }):
		return bad(fmt.Sprintf("a size is not a multiple of %d, as blocks of %v ask for", d.BlockElems(), d))
	}
	return dst, nil
}

// blockElems is the number of columns of a block of Q4_0 and Q8_0.
const blockElems = 32

// copies returns how many heads of keys and values of dst stand for one of src, since fewer query heads share one.
func copies(src, dst arch.Transformer) int {
	own, each := src.Heads/src.KVHeads, dst.Heads/dst.KVHeads
	return (own + each - 1) / each
}

// queryHead returns where head h of src is placed among the heads of dst.
func queryHead(src, dst arch.Transformer, h int) int {
	own, each := src.Heads/src.KVHeads, dst.Heads/dst.KVHeads
	group, i := h/own, h%own
	return (group*copies(src, dst)+i/each)*each + i%each
}
