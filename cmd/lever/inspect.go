package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"
	"github.com/spf13/cobra"
)

func newInspectCommand() *cobra.Command {
	var asJSON, tensors bool
	var types typeFlags
	var dram dramSize
	cmd := &cobra.Command{
		Use:   "inspect [STORE|SRC]",
		Short: "Show what a flash store holds, or what a model would become",
		Long: `Show what a flash store holds. Of a Hugging Face folder or a GGUF file it shows the store that 'lever convert' would make of it, or why it
can't be used, and what passes would cost in stores of other types; nothing is written. Without an argument it shows the demo's target, whose draft
lies beside it.`,
		Example: `  lever inspect Llama-3.1-8B.lever
  lever inspect Llama-3.1-8B.lever --dram 1GiB    # and how that much memory would be used
  lever inspect Qwen3-8B-Q4_K_M.gguf`,
		Args:              cli.MaxArgs(1, "at most one store, folder or GGUF file"),
		ValidArgsFunction: cli.CompleteArgument(0, cli.CompleteModel),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := ""
			if len(args) == 1 {
				path = args[0]
			} else {
				var err error
				if path, _, err = cli.ChooseModels(cmd.Context(), "", ""); err != nil {
					return err
				}
			}
			info, err := inspect(path, types)
			if err != nil {
				return err
			}
			var plan *weights.Plan
			if dram.ByteSize > 0 {
				p, err := info.Plan(int64(dram.ByteSize))
				if small := dram.tooSmall(err, path); small != nil {
					return small
				}
				if err != nil {
					return err
				}
				plan = &p
			}
			var types []cost
			memory := weightMemory(int64(dram.ByteSize))
			if !info.Written() {
				types = costs(info, memory)
			}
			if asJSON {
				return cli.PrintJSON(inspectOutput{info, info.Config, plan, types})
			}
			if err := printStore(cli.Stdout, info, tensors, plan); err != nil || types == nil {
				return err
			}
			return printCosts(cli.Stdout, types, memory)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object with all there is to know")
	types.addTo(cmd, "with a model that is no store: as with lever convert")
	cmd.Flags().Var(&dram, "dram", "show how this much memory would be used for streaming; auto: half of what is available")
	cmd.Flags().BoolVar(&tensors, "tensors", false, "list every tensor")
	return cmd
}

// inspect describes the store at path, or the one that the model at path would become.
func inspect(path string, types typeFlags) (*weights.Info, error) {
	if !isSource(path) {
		if types.given() {
			return nil, cli.UsageErrorf("--type and --tensor-type are for a model that is no store")
		}
		return weights.Inspect(path)
	}
	options := weights.WriteOptions{CheckTokenizer: tokenizer.Check}
	if err := types.apply(&options); err != nil {
		return nil, err
	}
	return convert.Inspect(path, options)
}

// isSource reports whether a model at path is to be converted.
func isSource(path string) bool {
	if isStore, err := weights.IsStore(path); isStore || err != nil {
		return false
	}
	_, err := os.Stat(filepath.Join(path, "config.json"))
	return err == nil || slices.Contains([]string{".gguf", ".safetensors"}, filepath.Ext(path))
}

// inspectOutput is what inspect --json prints.
type inspectOutput struct {
	*weights.Info
	Config json.RawMessage `json:"config"`
	Plan   *weights.Plan   `json:"plan,omitempty"`
	Types  []cost          `json:"types_to_convert_to,omitempty"` // of a model that is no store
}

// shownConfig are the keys of a model's configuration that inspect prints.
var shownConfig = []string{
	"model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size", "vocab_size",
	"max_position_embeddings", "tie_word_embeddings", "rope_theta", "rope_scaling",
}

func printStore(out io.Writer, info *weights.Info, tensors bool, plan *weights.Plan) error {
	var config map[string]json.RawMessage
	if err := json.Unmarshal(info.Config, &config); err != nil {
		return fmt.Errorf("inspect %s: configuration: %w", info.Dir, err)
	}
	if info.Written() {
		fmt.Fprintf(out, "%s: format version %d, %s of weights\n\n", info.Dir, info.Version, cli.FormatBytes(info.Bytes))
	} else {
		fmt.Fprintf(out, "%s: 'lever convert' would make a store with %s of weights of it\n\n", info.Dir, cli.FormatBytes(info.Bytes))
	}
	for _, note := range info.Notes {
		fmt.Fprintf(out, "note: %s\n\n", note)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, key := range shownConfig {
		if value, ok := config[key]; ok {
			fmt.Fprintf(table, "%s\t%s\n", key, value)
		}
	}
	fmt.Fprintln(table, "\ntype\ttensors\telements\tbytes")
	for _, t := range info.Types {
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", t.Type, t.Tensors, t.Elements, cli.FormatBytes(t.Bytes))
	}
	fmt.Fprintln(table, "\nchunk\tbytes\tsegments\tsha256")
	for _, c := range info.Chunks {
		sum := "not written"
		if info.Written() {
			sum = fmt.Sprintf("%.16s…", c.SHA256)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", c.File, cli.FormatBytes(c.Bytes), c.Segments, sum)
	}
	fmt.Fprintln(table, "\ntokenizer file\tbytes")
	for _, f := range info.Tokenizer {
		fmt.Fprintf(table, "%s\t%s\n", f.File, cli.FormatBytes(f.Bytes))
	}
	if len(info.Predictors) > 0 {
		fmt.Fprintln(table, "\npredictor after layer\trank\tbytes\ttrained on tokens\tagrees with the model")
		for _, p := range info.Predictors {
			fmt.Fprintf(table, "%d\t%d\t%s\t%d\t%.0f%%\n", p.Layer, p.Rank, cli.FormatBytes(int64(p.Bytes)), p.Training.Samples, 100*p.Training.Agreement)
		}
	}
	if tensors {
		fmt.Fprintln(table, "\ntensor\ttype\trows\tcolumns\tchunk\tparts\tbytes")
		for _, t := range info.Tensors {
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", t.Name, t.Type, t.Rows, t.Cols, t.Chunk, t.Parts, cli.FormatBytes(t.Bytes))
		}
	}
	if err := table.Flush(); err != nil || plan == nil {
		return err
	}
	fmt.Fprintln(out)
	return errors.Join(printPlan(out, *plan), printPins(out, *plan))
}
