package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"
	"github.com/spf13/cobra"
)

func newConvertCommand() *cobra.Command {
	var types typeFlags
	var overwrite bool
	var imatrix string
	cmd := &cobra.Command{
		Use:   "convert SRC DST.lever",
		Short: "Convert a Hugging Face folder or a GGUF file into a flash store",
		Long: `Convert a Hugging Face folder (config.json, *.safetensors, tokenizer.json) or a GGUF file into a flash store.

Without --type, matrices that are already quantised in a form that the kernels consume (` + strings.Join(keptTypes(), ", ") + `)
keep their exact values, and all others become q8_0. With --type, every matrix becomes that type; all types
smaller than q8_0 keep embedding and output head at q8_0. Types of 256 elements a block (q3_k, iq4_xs, iq3_s, iq3_xxs) give way to iq4_nl
where rows do not fill blocks.
Mixes of types (` + strings.Join(cli.MixNames(), ", ") + `) give the matrices that suffer most more bits than the rest.
What became of which is listed at the end.

At few bits quality depends on what matrices are multiplied with. --imatrix TEXT runs the model over a text like what it will read and write (its first
32768 tokens), notes how its activations vary together, and keeps that beside the store, in NAME.imatrix. The searched types (all that are smaller than
q8_0 but q4_0) are then fitted to it: columns that matter are kept more exactly, and each column makes up for the errors of those before it, which halves what
is lost. It takes room for a second store while it measures, 2 GiB of memory at most, and more time. --imatrix NAME.imatrix uses it again.

An f16 store is the precise form: its weights are multiplied with unrounded activations. --tensor-type gives some matrices another
type than the rest, by their names in the store, which 'lever inspect --tensors SRC' lists.`,
		Example: `  lever convert Llama-3.1-8B-Instruct/ llama-8b.lever --type q4_0
  lever convert Llama-3.1-8B-Instruct/ llama-8b.lever --type q4_0 --tensor-type 'block.*.down=q8_0'
  lever convert Llama-3.1-8B-Instruct/ llama-8b.lever --type q3_k_m --imatrix notes.txt
  lever convert Qwen3-8B-Q4_K_M.gguf qwen-8b.lever`,
		Args:              cli.ExactArgs(2, "a source and the name of the store to write"),
		ValidArgsFunction: cli.CompleteArgument(0, cli.CompleteModel),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, dst := args[0], args[1]
			if !strings.HasSuffix(filepath.Clean(dst), ".lever") {
				return cli.UsageErrorf("the store's name must end in .lever: %q", dst)
			}
			options := weights.WriteOptions{Overwrite: overwrite, CheckTokenizer: tokenizer.Check}
			if err := types.apply(&options); err != nil {
				return err
			}
			showNotes(src, options)
			bar := cli.NewProgress(os.Stderr)
			if imatrix != "" {
				err := options.Check(dst)
				if err == nil {
					options.Importance, err = loadImportance(cmd.Context(), imatrix, src, dst, bar)
				}
				if err != nil {
					bar.Close()
					return cli.Interrupted(cmd.Context(), err)
				}
			}
			options.Progress = func(p weights.Progress) { bar.Update("converting "+filepath.Base(src), p.Done, p.Total) }
			err := convert.Convert(cmd.Context(), src, dst, options)
			bar.Close()
			if errors.Is(err, fs.ErrExist) && !overwrite {
				return fmt.Errorf("%w; --overwrite replaces it", err)
			}
			if err != nil {
				return cli.Interrupted(cmd.Context(), err)
			}
			return showStore(dst)
		},
	}
	types.addTo(cmd, "type of the matrices: "+strings.Join(cli.StoreTypes(), ", ")+", or a mix: "+strings.Join(cli.MixNames(), ", ")+" (default: q8_0, quantised ones unchanged)")
	cmd.Flags().Var(cli.PathFlag(&imatrix), "imatrix", "text to measure with what matrices are multiplied with, or the NAME.imatrix of an earlier conversion")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace DST if it exists, once the new store is complete")
	return cmd
}

// showStore says what a store is made of, what a pass over it costs, and how to try it.
func showStore(dst string) error {
	info, err := weights.Inspect(dst)
	if err != nil {
		return err
	}
	if err := printTypes(cli.Stderr, info); err != nil {
		return err
	}
	cost := fmt.Sprintf("a pass uses %s of weights", cli.FormatBytes(info.PassBytes()))
	if machine, known := loadRates(); known {
		memory := weightMemory(0)
		cost += fmt.Sprintf(": %.3g tokens/s without a draft on this machine, with %s for them, where reading limits it", machine.tokensPerSecond(info.PassBytes(), memory), cli.FormatBytes(memory))
	}
	_, err = fmt.Fprintf(cli.Stderr, "%s\nwrote %s; %s \"…\"\n", cost, dst, tryOut(info))
	return err
}

// blockNumber is what names of tensors that stand for the same in all blocks differ by.
var blockNumber = regexp.MustCompile(`\.[0-9]+\b`)

// printTypes writes which tensors of a store have which type, a line for each.
func printTypes(out io.Writer, info *weights.Info) error {
	all := map[string]int{} // tensors of each kind, by name
	names := map[string][]string{}
	of := map[string]map[string]int{}
	for _, t := range info.Tensors {
		name := blockNumber.ReplaceAllString(t.Name, ".*")
		if of[t.Type] == nil {
			of[t.Type] = map[string]int{}
		}
		if of[t.Type][name] == 0 {
			names[t.Type] = append(names[t.Type], name)
		}
		of[t.Type][name]++
		all[name]++
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "type\ttensors\tbytes\tnames")
	for _, t := range info.Types {
		which := names[t.Type]
		for i, name := range which {
			if n := of[t.Type][name]; n < all[name] {
				which[i] += fmt.Sprintf(" (%d of %d)", n, all[name])
			}
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", t.Type, t.Tensors, cli.FormatBytes(t.Bytes), strings.Join(which, ", "))
	}
	return table.Flush()
}

// tryOut says what a user tries first with a store: of a draft that predicts several tokens at once, what it is for.
func tryOut(info *weights.Info) string {
	if m, err := arch.Parse(info.Config); err == nil && m.MaskToken != nil {
		return "try it as the draft of a target: lever run --model TARGET.lever --draft " + info.Dir
	}
	return "try: lever run --model " + info.Dir
}

// showNotes says what the user should know of how a model is understood. Errors are those of the conversion, which says them.
func showNotes(src string, options weights.WriteOptions) {
	options.CheckTokenizer = nil
	if info, err := convert.Inspect(src, options); err == nil {
		for _, note := range info.Notes {
			fmt.Fprintf(cli.Stderr, "lever: note: %s\n", note)
		}
	}
}

// keptTypes returns the names of the quantised types that stores hold.
func keptTypes() (names []string) {
	for _, d := range tensor.PackableTypes() {
		if d.Quantized() {
			names = append(names, d.String())
		}
	}
	return names
}
