package main

import (
	"fmt"

	"github.com/lever-go/lever/internal/cli"
	"github.com/spf13/cobra"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which program this is, and what it uses of this machine",
		Example: `  lever version`,
		Args:    cli.ExactArgs(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(cli.Stdout, "lever version %s\n", cli.VersionText())
			return err
		},
	}
}
