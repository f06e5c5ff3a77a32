package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"
	"github.com/spf13/cobra"
)

// The embedded models, as sources of inflate.
const (
	demoTarget = "demo"
	demoDraft  = "demo-draft"
)

func newInflateCommand() *cobra.Command {
	var shape, typeName string
	var layers int
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "inflate SRC DST",
		Short: "Blow a small model up to the shape and cost of a large one that says the same",
		Long: `Blow a small model up to the shape, and so to the cost, of a large one, which generates the same text. SRC is ` + demoTarget + ` or ` + demoDraft + `, the embedded
models, or a store, a Hugging Face folder or a GGUF file. DST is the store to write or, if it ends in .gguf, a GGUF file for other programs. The
draft must get the vocabulary of its target. Shapes: ` + strings.Join(inflate.ShapeNames(), ", ") + `.`,
		Example: `  lever-bench inflate demo llama-8b.lever --shape llama-3.1-8b
  lever-bench inflate demo-draft llama-1b.lever --shape llama-3.2-1b
  lever run --model llama-8b.lever --draft llama-1b.lever --dram 1GiB "How many legs have 3 cats?"`,
		Args: cli.ExactArgs(2, "a source and the name of the store or file to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := inflate.ShapeOf(shape)
			if err != nil {
				return cli.UsageError(err)
			}
			switch {
			case layers < 0 || s.Layers > 0 && layers > s.Layers || s.Layers == 0 && layers > 0:
				return cli.UsageErrorf("--layers %d: shape %s has %d", layers, s.Name, s.Layers)
			case layers > 0:
				s.Layers = layers
			}
			d, err := cli.ParseStoreType(typeName)
			if err != nil {
				return err
			}
			return cli.Interrupted(cmd.Context(), inflateModel(cmd.Context(), args[0], args[1], s, d, overwrite))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&shape, "shape", "llama-3.1-8b", "shape of the large model")
	flags.IntVar(&layers, "layers", 0, "number of layers, where a part of the shape will do (default: all)")
	flags.StringVar(&typeName, "type", "q4_0", "type of the matrices: "+joinTypes(inflate.Types()))
	flags.BoolVar(&overwrite, "overwrite", false, "replace a store that is at DST")
	return cmd
}

func inflateModel(ctx context.Context, src, dst string, shape inflate.Shape, d tensor.DType, overwrite bool) (err error) {
	bar := cli.NewProgress(os.Stderr)
	defer bar.Close()
	show := func(p weights.Progress) { bar.Update("writing "+filepath.Base(dst), p.Done, p.Total) }
	store, done, err := openSmall(ctx, src, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	m, err := inflate.New(ctx, store, shape, d)
	if err != nil {
		return err
	}
	if filepath.Ext(dst) == ".gguf" {
		err = m.WriteGGUF(ctx, dst, show)
	} else {
		err = m.WriteStore(ctx, dst, weights.WriteOptions{Overwrite: overwrite, Progress: show})
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cli.Stderr, "%s: %s of weights\n", dst, cli.FormatBytes(m.Bytes()))
	return nil
}

// joinTypes lists types.
func joinTypes(types []tensor.DType) string {
	var names []string
	for _, d := range types {
		names = append(names, d.String())
	}
	return strings.Join(names, ", ")
}

// openSmall opens the model to blow up. What is no store is converted to one that done removes: from its own numbers to type d at once, if its rows
// can be expected to fill blocks of it.
func openSmall(ctx context.Context, src string, d tensor.DType) (store *weights.Store, done func() error, err error) {
	done = func() error { return nil }
	target, draft, err := cli.ChooseModels(ctx, "", "")
	switch {
	case err != nil:
		return nil, nil, err
	case src == demoTarget:
		src = target
	case src == demoDraft:
		src = draft
	}
	isStore, err := weights.IsStore(src)
	if err != nil {
		return nil, nil, fmt.Errorf("open model: %w", err)
	}
	if !isStore {
		dir, err := os.MkdirTemp("", "lever-inflate-")
		if err != nil {
			return nil, nil, err
		}
		done = func() error { return os.RemoveAll(dir) }
		converted := filepath.Join(dir, "small.lever")
		if d.BlockElems() > tensor.Q4_0.BlockElems() {
			d = tensor.F16
		}
		if err := convert.Convert(ctx, src, converted, weights.WriteOptions{Type: d}); err != nil {
			return nil, nil, errors.Join(err, done())
		}
		src = converted
	}
	store, err = lever.OpenStore(ctx, src, lever.Config{})
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return store, done, nil
}
