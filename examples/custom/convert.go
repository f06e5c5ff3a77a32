package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// open makes a store at dst of the tensors of a Llama and opens it.
func open(ctx context.Context, llama, dst string) (store *weights.Store, cfg layers.Config, err error) {
	if err := convert(ctx, llama, dst); err != nil {
		return nil, cfg, err
	}
	if store, err = weights.Open(ctx, dst, weights.OpenOptions{}); err != nil {
		return nil, cfg, err
	}
	return store, cfg, json.Unmarshal(store.Config(), &cfg)
}

// table lists the tensors by the steps of a pass, in the order in which newDecoder's parts use them, and says from which tensor of a Llama
// each is borrowed.
func table(cfg layers.Config) (steps [][]string, llama map[string]string) {
	last := []string{"final_norm"}
	llama = map[string]string{"embedding": "embedding", "final_norm": "final_norm"}
	if !cfg.Tied {
		last, llama["head"] = append(last, "head"), "head"
	}
	steps = [][]string{{"embedding"}}
	for i := range cfg.Layers {
		var step []string
		for _, part := range []string{"norm", "attention.q", "attention.k", "attention.v", "attention.o", "mlp.gate", "mlp.up", "mlp.down"} {
			name := fmt.Sprintf("parallel.%d.%s", i, part)
			step = append(step, name)
			llama[name] = fmt.Sprintf("block.%d%s", i, filepath.Ext("."+part))
		}
		llama[step[0]] = fmt.Sprintf("block.%d.attn_norm", i)
		steps = append(steps, step)
	}
	return append(steps, last), llama
}

// convert makes a store at dst of the tensors of a Llama. It holds them in memory; tensors in a file need not be.
func convert(ctx context.Context, path, dst string) error {
	store, err := lever.OpenStore(ctx, path, lever.Config{})
	if err != nil {
		return err
	}
	cfg, err := layers.ParseConfig(store.Config())
	if err != nil {
		return err
	}
	if cfg.Family != layers.Llama {
		return fmt.Errorf("%s has the tensors of a %s, not of a llama", path, cfg.Family)
	}
	model := weights.Model{Tokenizer: map[string][]byte{}, Tensors: map[string]weights.Tensor{}}
	cfg.Family = "parallel"
	if model.Config, err = json.Marshal(cfg); err != nil { // open reads it
		return err
	}
	resident, err := store.Resident(ctx, nil)
	if err != nil {
		return err
	}
	defer resident.Close()
	steps, llama := table(cfg)
	model.Steps = steps
	for name, from := range llama {
		if model.Tensors[name], err = read(ctx, resident, from); err != nil {
			return err
		}
	}
	files, err := fs.ReadDir(store.FS(), ".")
	if err != nil {
		return err
	}
	for _, f := range files {
		if model.Tokenizer[f.Name()], err = fs.ReadFile(store.FS(), f.Name()); err != nil {
			return err
		}
	}
	return weights.Write(ctx, model, dst, weights.ConvertOptions{})
}

// read copies a tensor out of a store.
func read(ctx context.Context, w layers.Weights, name string) (weights.Tensor, error) {
	var t weights.Tensor
	var data []byte
	for part, err := range w.Parts(ctx, name) {
		if err != nil {
			return t, err
		}
		rows := make([]byte, part.Type.RowBytes(part.Rows*part.Cols))
		if err := tensor.Unpack(rows, part.Data, part.Type, part.Rows, part.Cols); err != nil {
			return t, err
		}
		data = append(data, rows...)
		t.Type, t.Rows, t.Cols = part.Type, t.Rows+part.Rows, part.Cols
	}
	t.Data = bytes.NewReader(data)
	return t, nil
}
