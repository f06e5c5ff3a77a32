package convert

import (
	"context"
	"errors"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/weights"
)

// Convert makes a store at dst of src, a Hugging Face folder or a GGUF file, as [weights.Write] does, of an architecture of package arch or one
// of own. Cancelling ctx ends it, and leaves nothing.
func Convert(ctx context.Context, src, dst string, opts weights.WriteOptions, own ...*arch.Architecture) (err error) {
	if err := opts.Check(dst); err != nil { // finding out whether a head is tied may take reading it
		return err
	}
	s, err := openSource(src, own)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return weights.Write(ctx, s.model, dst, opts)
}

// Inspect describes the store that [Convert] would make of src with the same options, and fails as it would. Its Notes say what
// the files left open, such as a head that differs from the embedding that it is said to be. It reads no weights but such a head's.
func Inspect(src string, opts weights.WriteOptions, own ...*arch.Architecture) (info *weights.Info, err error) {
	s, err := openSource(src, own)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if info, err = s.model.Describe(src, opts); err == nil {
		info.Notes = append(info.Notes, s.notes...)
	}
	return info, err
}
