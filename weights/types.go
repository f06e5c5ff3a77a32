package weights

import (
	"fmt"
	"path"
	"slices"

	"github.com/lever-go/lever/tensor"
)

// TensorType says in which type some matrices are stored, where that is not what [WriteOptions].Type would have.
type TensorType struct {
	Name string       // of a matrix in the store, or a pattern of names as in [path.Match], such as block.*.down
	Type tensor.DType // one of [EncodableTypes]
}

// fits reports whether a matrix is meant.
func (x TensorType) fits(name string) (bool, error) {
	if x.Name == name {
		return true, nil
	}
	fits, err := path.Match(x.Name, name)
	if err != nil {
		return false, fmt.Errorf("weights: write: type of %q: %w: %w", x.Name, err, ErrArgument)
	}
	return fits, nil
}

// checkTypes refuses types that matrices are not converted to.
func (o WriteOptions) checkTypes() error {
	targets := EncodableTypes()
	if o.Type != tensor.Invalid && !slices.Contains(targets, o.Type) {
		return fmt.Errorf("weights: write: to type %v, not one of %v: %w", o.Type, targets, ErrUnsupported)
	}
	if o.Mix != nil {
		if o.Type != tensor.Invalid {
			return fmt.Errorf("weights: write: both a type and a mix of types: %w", ErrArgument)
		}
		if err := o.Mix.check(); err != nil {
			return err
		}
	}
	for _, x := range o.Types {
		if !slices.Contains(targets, x.Type) {
			return fmt.Errorf("weights: write: %s to type %v, not one of %v: %w", x.Name, x.Type, targets, ErrUnsupported)
		}
	}
	return nil
}

// EncodableTypes returns the types that matrices can be converted to. Stores hold further ones, whose blocks are kept as they come.
func EncodableTypes() []tensor.DType {
	return slices.DeleteFunc(tensor.PackableTypes(), func(d tensor.DType) bool { return !tensor.Encodable(d) })
}

// plan decides the type of every tensor.
func (c *content) plan(opts WriteOptions) ([][]stored, error) {
	meant := make([]int, len(opts.Types)) // matrices that each one fits
	steps := make([][]stored, len(c.steps))
	for i, step := range c.steps {
		for _, r := range step {
			d := tensor.F32
			if !r.vector {
				var err error
				if d, err = c.storedType(r, opts, meant); err != nil {
					return nil, err
				}
			}
			steps[i] = append(steps[i], stored{name: r.name, dtype: d, rows: r.rows, cols: r.cols, expert: c.tensors[r.name].Expert})
		}
	}
	for i, n := range meant {
		if n == 0 {
			return nil, fmt.Errorf("weights: write: type of %q: the model has no such matrix; names are those of the store: %w", opts.Types[i].Name, ErrArgument)
		}
	}
	return steps, nil
}

// storedType returns the type in which matrix r is stored, and counts in meant whom of opts.Types it fits.
func (c *content) storedType(r role, opts WriteOptions, meant []int) (tensor.DType, error) {
	d := usualType(opts.Type, c.tensors[r.name].Type, r)
	if opts.Mix != nil {
		d = fitting(opts.Mix.TypeOf(r.name, len(c.steps)-2), r.cols)
	}
	for i, x := range opts.Types {
		fits, err := x.fits(r.name)
		if err != nil {
			return d, err
		}
		if !fits {
			continue
		}
		meant[i]++
		d = x.Type
	}
	if r.cols%d.BlockElems() != 0 {
		return d, fmt.Errorf("weights: write: tensor %s: rows of %d do not fill blocks of %v; store it as f16: %w", r.name, r.cols, d, ErrUnsupported)
	}
	return d, nil
}

// usualType returns the type in which matrix r, of type have in the model, is stored when want was asked for.
func usualType(want, have tensor.DType, r role) tensor.DType {
	consumable := have.Quantized() && tensor.Packable(have)
	switch {
	case want == tensor.Invalid && consumable:
		return have
	case want.Quantized() && want != tensor.Q8_0 && (r.name == embeddingName || r.name == headName):
		if consumable {
			return have
		}
		want = tensor.Q8_0
	case want == tensor.Invalid:
		want = tensor.Q8_0
	}
	return fitting(want, r.cols)
}

// fitting returns the type in which rows of cols columns are stored when want was asked for: of the types whose blocks they fill, the nearest.
func fitting(want tensor.DType, cols int) tensor.DType {
	if cols%want.BlockElems() != 0 {
		switch want {
		case tensor.Q5_K, tensor.Q6_K:
			want = tensor.Q8_0
		default:
			want = tensor.IQ4_NL
		}
	}
	if cols%want.BlockElems() != 0 {
		return tensor.F16
	}
	return want
}
