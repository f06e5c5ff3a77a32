package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/lever-go/lever/weights"
	"github.com/spf13/cobra"
)

func newInspectCommand() *cobra.Command {
	var asJSON, tensors bool
	var dram dramSize
	cmd := &cobra.Command{
		Use:   "inspect STORE",
		Short: "Show what a flash store holds",
		Example: `  lever inspect Llama-3.1-8B.lever
  lever inspect Llama-3.1-8B.lever --dram 1GiB    # and how that much memory would be used`,
		Args:              exactArgs(1, "one store"),
		ValidArgsFunction: completeArgument(0, completeStore),
		RunE: func(_ *cobra.Command, args []string) error {
			info, err := weights.Inspect(args[0])
			if err != nil {
				return err
			}
			var plan *weights.Plan
			if dram.byteSize > 0 {
				p, err := info.Plan(int64(dram.byteSize))
				if err != nil {
					return err
				}
				plan = &p
			}
			if asJSON {
				return printJSON(inspectOutput{info, info.Config, plan})
			}
			return printStore(stdout, info, tensors, plan)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object with all there is to know")
	cmd.Flags().Var(&dram, "dram", "show how this much memory would be used for streaming; auto: half of what is available")
	cmd.Flags().BoolVar(&tensors, "tensors", false, "list every tensor")
	return cmd
}

// inspectOutput is what inspect --json prints.
type inspectOutput struct {
	*weights.Info
	Config json.RawMessage `json:"config"`
	Plan   *weights.Plan   `json:"plan,omitempty"`
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
	fmt.Fprintf(out, "%s: format version %d, %s of weights\n\n", info.Dir, info.Version, formatBytes(info.Bytes))
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
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", t.Type, t.Tensors, t.Elements, formatBytes(t.Bytes))
	}
	fmt.Fprintln(table, "\nchunk\tbytes\tsegments\tsha256")
	for _, c := range info.Chunks {
		fmt.Fprintf(table, "%s\t%s\t%d\t%.16s…\n", c.File, formatBytes(c.Bytes), c.Segments, c.SHA256)
	}
	fmt.Fprintln(table, "\ntokenizer file\tbytes")
	for _, f := range info.Tokenizer {
		fmt.Fprintf(table, "%s\t%s\n", f.File, formatBytes(f.Bytes))
	}
	if len(info.Predictors) > 0 {
		fmt.Fprintln(table, "\npredictor after layer\trank\tbytes\ttrained on tokens\tagrees with the model")
		for _, p := range info.Predictors {
			fmt.Fprintf(table, "%d\t%d\t%s\t%d\t%.0f%%\n", p.Layer, p.Rank, formatBytes(int64(p.Bytes)), p.Training.Samples, 100*p.Training.Agreement)
		}
	}
	if tensors {
		fmt.Fprintln(table, "\ntensor\ttype\trows\tcolumns\tchunk\tparts\tbytes")
		for _, t := range info.Tensors {
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", t.Name, t.Type, t.Rows, t.Cols, t.Chunk, t.Parts, formatBytes(t.Bytes))
		}
	}
	if err := table.Flush(); err != nil || plan == nil {
		return err
	}
	fmt.Fprintln(out)
	return errors.Join(printPlan(out, *plan), printPins(out, *plan))
}
