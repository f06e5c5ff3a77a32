package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
		Args:              exactArgs(1, "one store"),
		ValidArgsFunction: completeArgument(0, completeStore),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			bar := newProgress(os.Stderr)
			var checked int64
			err := weights.Verify(cmd.Context(), dir, func(p weights.Progress) {
				checked = p.Done
				bar.Update("verifying "+filepath.Base(dir), p.Done, p.Total)
			})
			bar.Close()
			err = interrupted(cmd.Context(), err)
			if asJSON {
				return errors.Join(err, printJSON(newVerifyOutput(dir, checked, err)))
			}
			if err != nil {
				return err
			}
			info, err := weights.Inspect(dir)
			if err != nil {
				return err
			}
			fmt.Fprintf(stdout, "%s: all %s are as they were written\n", dir, formatBytes(checked))
			for _, note := range info.Notes {
				fmt.Fprintf(stdout, "note: %s\n", note)
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
