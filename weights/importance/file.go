package importance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/tensorfile"
)

// ErrInvalid is wrapped by errors of [Load] about what a file holds.
var ErrInvalid = errors.New("not a file of importances")

const (
	formatKey  = "format"
	formatName = "lever-importance"
	versionKey = "version"
	version    = "2"
	widthKey   = "width"
	sameKey    = "same." // before the name of a matrix
)

// Of are moments by the names of matrices in a store. Matrices may share them.
type Of = map[string]*tensor.Moments

// Save writes what [Measure] returned into the file at path, in place of what was there; an error leaves that as it was.
func Save(path string, of Of) error {
	metadata := map[string]string{formatKey: formatName, versionKey: version}
	tensors, first := map[string]*tensor.Tensor{}, map[*tensor.Moments]string{}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		m := of[name]
		if other, shared := first[m]; shared {
			metadata[sameKey+name] = other
			continue
		}
		first[m] = name
		metadata[widthKey] = strconv.Itoa(m.Width)
		t, err := tensor.FromFloat32s(m.Values, len(m.Values))
		if err != nil {
			return fmt.Errorf("importance: save %s: %w", path, err)
		}
		tensors[name] = t
	}
	if err := tensorfile.WriteSafetensors(path, tensors, metadata); err != nil {
		return fmt.Errorf("importance: save: %w", err)
	}
	return nil
}

// Load reads a file that [Save] wrote.
func Load(ctx context.Context, path string) (of Of, err error) {
	f, err := tensorfile.Open(path)
	if err != nil {
		return nil, fmt.Errorf("importance: load: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("importance: load %s: %s: %w", path, fmt.Sprintf(format, args...), ErrInvalid)
	}
	metadata := f.Metadata()
	if metadata[formatKey] != formatName || metadata[versionKey] != version {
		return nil, invalid("its metadata are not %s, version %s; measure importance again", formatName, version)
	}
	width, err := strconv.Atoi(fmt.Sprint(metadata[widthKey]))
	if err != nil || width < 1 || width > MaxWidth {
		return nil, invalid("the width of its pieces is %v, not from 1 to %d", metadata[widthKey], MaxWidth)
	}
	of = Of{}
	for _, name := range f.Names() {
		t, err := f.Read(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("importance: load: %w", err)
		}
		values, err := t.Float32s()
		if err != nil || len(t.Shape()) != 1 {
			return nil, invalid("%s is %v%v, not a vector of f32", name, t.DType(), t.Shape())
		}
		m := &tensor.Moments{Width: width, Values: values}
		if err := m.Check(); err != nil {
			return nil, invalid("%s: %v", name, err)
		}
		of[name] = m
	}
	shared := Of{}
	for key, other := range metadata {
		if name, shares := strings.CutPrefix(key, sameKey); shares {
			other := fmt.Sprint(other)
			if of[name] != nil || of[other] == nil {
				return nil, invalid("%s is said to be as %s", name, other)
			}
			shared[name] = of[other]
		}
	}
	maps.Copy(of, shared)
	return of, nil
}
