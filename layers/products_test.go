package layers_test

import (
	"reflect"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

func TestProducts(t *testing.T) {
	cfg := small(llama)
	cfg.Layers = 1
	d := newDecoder(t, cfg, randomWeights(t, cfg, tensor.Q8_0), arch.Options{})
	head := "head"
	if cfg.Tied {
		head = "embedding"
	}
	want := []layers.ProductGroup{
		{Tensors: []string{head}, Head: true},
		{Tensors: []string{"block.0.q", "block.0.k", "block.0.v"}},
		{Tensors: []string{"block.0.o"}},
		{Tensors: []string{"block.0.gate", "block.0.up"}},
		{Tensors: []string{"block.0.down"}},
	}
	if got := d.Products(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Of experts, which are alike, those of the first stand for all.
func TestProductsOfExperts(t *testing.T) {
	ws := layers.NewWorkspace(&layers.Memory{}, nil, 1)
	layers.NewExperts(ws, "moe", layers.ExpertsConfig{Experts: 8, Chosen: 2, MLP: layers.MLPConfig{Width: 32, FFN: 32}})
	want := []layers.ProductGroup{
		{Tensors: []string{"moe.router"}},
		{Tensors: []string{"moe.expert.0.gate", "moe.expert.0.up"}, Experts: 8, Chosen: 2},
		{Tensors: []string{"moe.expert.0.down"}, Experts: 8, Chosen: 2},
	}
	if got := ws.Products(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
