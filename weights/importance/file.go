package importance

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/tensorfile"
)

// ErrInvalid is wrapped by errors of [Load] about what a file holds.
var ErrInvalid = errors.New("not a file of importances")

const (
	formatKey  = "format"
	formatName = "lever-importance"
	versionKey = "version"
	version    = "1"
)

// Save writes what [Measure] returned into the file at path, in place of what was there; an error leaves that as it was.
func Save(path string, importance map[string][]float32) error {
	tensors := map[string]*tensor.Tensor{}
	for name, mean := range importance {
		t, err := tensor.FromFloat32s(mean, len(mean))
		if err != nil {
			return fmt.Errorf("importance: save %s: %w", path, err)
		}
		tensors[name] = t
	}
	if err := tensorfile.WriteSafetensors(path, tensors, map[string]string{formatKey: formatName, versionKey: version}); err != nil {
		return fmt.Errorf("importance: save: %w", err)
	}
	return nil
}

// Load reads a file that [Save] wrote.
func Load(ctx context.Context, path string) (importance map[string][]float32, err error) {
	f, err := tensorfile.Open(path)
	if err != nil {
		return nil, fmt.Errorf("importance: load: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if f.Metadata()[formatKey] != formatName || f.Metadata()[versionKey] != version {
		return nil, fmt.Errorf("importance: load %s: its metadata are not %s, version %s: %w", path, formatName, version, ErrInvalid)
	}
	importance = map[string][]float32{}
	for _, name := range f.Names() {
		t, err := f.Read(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("importance: load: %w", err)
		}
		mean, err := t.Float32s()
		if err != nil || len(t.Shape()) != 1 {
			return nil, fmt.Errorf("importance: load %s: %s is %v%v, not a vector of f32: %w", path, name, t.DType(), t.Shape(), ErrInvalid)
		}
		for i, x := range mean {
			if !(x >= 0 && x <= math.MaxFloat32) {
				return nil, fmt.Errorf("importance: load %s: column %d of %s has a mean square of %v: %w", path, i, name, x, ErrInvalid)
			}
		}
		importance[name] = mean
	}
	return importance, nil
}
