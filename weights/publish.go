package weights

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/tensor"
)

// WriteOptions says how a store is written. The zero value keeps what kernels can use and makes Q8_0 of the rest.
type WriteOptions struct {
	// Type is the type of all matrices, one of [EncodableTypes]; blocks that have it already are kept bit for bit. With a quantised type other than
	// Q8_0, the embedding and the head, which suffer most, keep a quantised type or become Q8_0.
	// The zero value, tensor.Invalid, keeps blocks of every quantised type that kernels consume and converts the rest to Q8_0.
	// Always, vectors become F32, and matrices whose columns do not fill blocks IQ4_NL, whose blocks are small, or else F16.
	Type tensor.DType
	// Mix, if it is not nil, says the types of matrices in place of Type, which is then the zero value.
	Mix *Mix
	// Types are exceptions from Type and Mix, such as a router that stays F16 where the rest is Q4_0; the last that fits a matrix decides. One that
	// fits none is refused, as is a type whose blocks the rows of a matrix do not fill.
	Types []TensorType
	// Importance says what matrices are multiplied with, by their names in the store, as package importance measures it. Encoders that search for scales use
	// it; see [tensor.EncodeWeighted]. A matrix without any is fitted with equal weights.
	Importance map[string]*tensor.Moments
	// Overwrite replaces a store that is already at the destination, once the new one is complete.
	Overwrite bool
	// CheckTokenizer is called with the folder of the tokenizer's files before weights are written, which takes long; its error ends the
	// writing. If it is nil, they are not looked at.
	CheckTokenizer func(fs.FS) error
	// Progress is called with the bytes written, unless it is nil. Calls do not overlap.
	Progress func(Progress)

	create func(path string) (chunkFile, error) // for tests; nil means os.Create
}

// Write makes a store at dst of a model. The folder that dst lies in must exist.
//
// The store appears at dst in one step when it is complete and on the disk; a call that fails or is cancelled leaves
// nothing. An existing dst is refused with [io/fs.ErrExist], or replaced if Overwrite is set and it is a store. Memory is
// bounded by a segment and a few rows of the widest matrix.
func Write(ctx context.Context, m Contents, dst string, opts WriteOptions) error {
	if err := opts.Check(dst); err != nil {
		return err
	}
	c, err := m.check(opts)
	if err != nil {
		return err
	}
	if opts.create == nil {
		opts.create = func(path string) (chunkFile, error) { return os.Create(path) }
	}
	dst = filepath.Clean(dst)
	return publishStore(dst, opts.Overwrite, func(dir string) error { return c.write(ctx, dir, opts) })
}

// publishStore lets fill write the store that will be at dst.
func publishStore(dst string, overwrite bool, fill func(dir string) error) error {
	var inside error // has said what it concerns
	err := publish.Folder(dst, overwrite, func(dir string) error {
		if inside = fill(dir); inside == nil {
			inside = checkDestination(dst, overwrite) // something may have appeared there meanwhile
		}
		return inside
	})
	if err != nil && inside == nil {
		return fmt.Errorf("weights: write: %w", err)
	}
	return err
}

// write writes the store into the empty folder dir, its manifest last.
func (c *content) write(ctx context.Context, dir string, opts WriteOptions) error {
	m, err := c.begin(dir, opts)
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, filepath.Dir(chunkPattern)), 0o777); err != nil {
		return fmt.Errorf("weights: write: %w", err)
	}
	w := &chunkWriter{content: c, manifest: m, create: opts.create, meter: meter{report: opts.Progress, total: m.bytes()}}
	if err := w.writeAll(ctx, dir); err != nil {
		return err
	}
	text, err := sealManifest(m)
	if err != nil {
		return fmt.Errorf("weights: write: %w", err)
	}
	if len(text) > maxManifest {
		return fmt.Errorf("weights: write: a manifest of %d bytes is larger than %d: %w", len(text), maxManifest, ErrUnsupported)
	}
	if err := os.WriteFile(filepath.Join(dir, ManifestName), text, 0o666); err != nil {
		return fmt.Errorf("weights: write: %w", err)
	}
	return nil
}

// begin writes the tokenizer's files into the folder dir and returns the manifest, in which the checksums of weights are missing.
func (c *content) begin(dir string, opts WriteOptions) (*manifest, error) {
	m := &manifest{Format: formatName, Config: c.config, Tokenizer: []fileEntry{}}
	steps, err := c.plan(opts)
	if err != nil {
		return nil, err
	}
	if m.Chunks, m.Tensors, err = layout(steps); err != nil {
		return nil, err
	}
	m.Version = m.leastVersion()
	for _, name := range slices.Sorted(maps.Keys(c.tokenizer)) {
		entry, err := writeTokenizerFile(dir, name, c.tokenizer[name])
		if err != nil {
			return nil, err
		}
		m.Tokenizer = append(m.Tokenizer, entry)
	}
	if opts.CheckTokenizer != nil {
		if err := opts.CheckTokenizer(os.DirFS(dir)); err != nil {
			return nil, fmt.Errorf("weights: write: %w", err)
		}
	}
	return m, nil
}

// Check returns the error with which [Write] refuses options and a destination, before it looks at a model.
func (o WriteOptions) Check(dst string) error {
	if err := o.checkTypes(); err != nil {
		return err
	}
	return checkDestination(filepath.Clean(dst), o.Overwrite)
}

// checkDestination refuses a destination that exists, or with overwrite one that is no store.
func checkDestination(dst string, overwrite bool) error {
	isStore, err := IsStore(dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("weights: write: %w", err)
	case !overwrite:
		return fmt.Errorf("weights: write: %s: %w", dst, fs.ErrExist)
	case !isStore:
		return fmt.Errorf("weights: write: %s is no store and is not overwritten: %w", dst, fs.ErrExist)
	}
	return nil
}
