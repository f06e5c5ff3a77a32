package cli

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/lever-go/lever"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagKinds says what a flag of a type takes.
var flagKinds = map[string]string{
	"bool": "true or false", "int": "a whole number", "uint64": "a whole number from 0 up", "float32": "a number", "intSlice": "whole numbers with commas between them",
	"duration": "a time, such as 30s or 2m",
}

// flagError returns an error about how a flag was written, in the words of the command line.
func flagError(_ *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return UsageError(err)
	}
	f := invalid.GetFlag()
	kind, known := flagKinds[f.Value.Type()]
	switch {
	case !known:
		return UsageErrorf("--%s: %w", f.Name, errors.Unwrap(invalid))
	case errors.Is(err, strconv.ErrRange):
		return UsageErrorf("--%s: %s is too large", f.Name, Shortened(invalid.GetValue()))
	}
	return UsageErrorf("--%s takes %s, not %q", f.Name, kind, Shortened(invalid.GetValue()))
}

// Shortened returns the start of a value that was given.
func Shortened(value string) string {
	const longest = 40
	if len(value) > longest {
		return strings.ToValidUTF8(value[:longest], "") + "…"
	}
	return value
}

// checkNumbers reports numbers that no flag can mean: of all that count or measure something none may be negative.
func checkNumbers(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		text := f.Value.String()
		switch kind := f.Value.Type(); {
		case err != nil:
		case kind == "intSlice":
			if strings.Contains(text, "-") {
				err = UsageErrorf("--%s can't be negative: %s", f.Name, text)
			}
		case (kind == "int" || kind == "duration") && strings.HasPrefix(text, "-"):
			err = UsageErrorf("--%s can't be negative: %s", f.Name, text)
		case kind == "float32":
			least, from := 0.0, " from 0 up"
			if strings.HasSuffix(f.Name, "-penalty") { // which have bounds of their own
				least, from = -math.MaxFloat32, ""
			}
			if x, parseErr := strconv.ParseFloat(text, 32); parseErr == nil && !(x >= least && x <= math.MaxFloat32) {
				err = UsageErrorf("--%s takes a finite number%s, not %s", f.Name, from, text)
			}
		case f.Name == "threads":
			if n, parseErr := strconv.Atoi(text); parseErr == nil && n > lever.MaxThreads {
				err = UsageErrorf("--threads: at most %d, not %d", lever.MaxThreads, n)
			}
		}
	})
	return err
}
