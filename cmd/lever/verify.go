package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/weights"
	"github.com/spf13/cobra"
)

func newVerifyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify STORE",
		Short: "Check every byte of a flash store against its checksums",
		Example: `  lever verify Llama-3.1-8B.lever
  lever verify Llama-3.1-8B.lever --json`,
		Args:              cli.ExactArgs(1, "one store"),
		ValidArgsFunction: cli.CompleteArgument(0, cli.CompleteStore),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			bar := cli.NewProgress(os.Stderr)
			var checked int64
			err := weights.Verify(cmd.Context(), dir, func(p weights.Progress) {
				checked = p.Done
				bar.Update("verifying "+filepath.Base(dir), p.Done, p.Total)
			})
			bar.Close()
			err = cli.Interrupted(cmd.Context(), err)
			if asJSON {
				return errors.Join(err, cli.PrintJSON(newVerifyOutput(dir, checked, err)))
			}
			if err != nil {
				return err
			}
			info, err := weights.Inspect(dir)
			if err != nil {
				return err
			}
			fmt.Fprintf(cli.Stdout, "%s: all %s are as they were written\n", dir, cli.FormatBytes(checked))
			for _, note := range info.Notes {
				fmt.Fprintf(cli.Stdout, "note: %s\n", note)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// verifyOutput is what verify --json prints.
type verifyOutput struct {
	Store string `json:"store"`
	OK    bool   `json:"ok"`
	Bytes int64  `json:"bytes"` // checked
	Error string `json:"error,omitempty"`
}

func newVerifyOutput(dir string, checked int64, err error) verifyOutput {
	output := verifyOutput{Store: dir, OK: err == nil, Bytes: checked}
	if err != nil {
		output.Error = err.Error()
	}
	return output
}
