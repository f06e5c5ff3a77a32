package main

import (
	"fmt"
	"strings"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/weights"
	"github.com/spf13/cobra"
)

// typeFlags are the flags for the types of a store's matrices.
type typeFlags struct {
	all    string
	single []string // NAME=TYPE
}

func (f *typeFlags) addTo(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVar(&f.all, "type", "", usage)
	cmd.Flags().StringArrayVar(&f.single, "tensor-type", nil,
		"`NAME=TYPE` of a matrix, or of all that a pattern such as block.*.down fits; may be repeated, and the last that fits decides")
}

// apply sets the types in options.
func (f *typeFlags) apply(options *weights.WriteOptions) (err error) {
	if f.all != "" {
		mix, ok := weights.FindMix(f.all)
		if ok {
			options.Mix = &mix
		} else if options.Type, err = cli.ParseStoreType(f.all); err != nil {
			return fmt.Errorf("%w, or of the mixes %s", err, strings.Join(cli.MixNames(), ", "))
		}
	}
	for _, text := range f.single {
		name, typeName, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return cli.UsageErrorf("--tensor-type is %q, not NAME=TYPE such as block.0.down=q8_0", text)
		}
		d, err := cli.ParseStoreType(typeName)
		if err != nil {
			return err
		}
		options.Types = append(options.Types, weights.TensorType{Name: name, Type: d})
	}
	return nil
}

// given reports whether one of the flags was.
func (f *typeFlags) given() bool { return f.all != "" || len(f.single) > 0 }
