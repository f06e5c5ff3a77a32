package layers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// ErrState is wrapped by the error about a state that is not one of a decoder like the one that reads it.
var ErrState = errors.New("state of another decoder")

// ErrStateful is wrapped by the error about a text that can't be saved, or of which there can't be several, because layers keep, or may keep, what
// can't be saved.
var ErrStateful = errors.New("layers keep what is not saved")

// stateHeader begins a state. All its parts are little-endian:
//
//  1. the header;
//  2. for each layer of the cache, its shape;
//  3. the tokens of the text, int32 each;
//  4. for each layer, page of [kvPageLen] rows that its window has not left behind, and head: the keys of the page's rows, [rows][HeadDim],
//     then their values; of quantised ones, as bytes or, of values in Q4_0, two to a byte as [kernels.QuantizeNibbles] writes them, these followed
//     for each block of 32 elements by the scales of the keys, [rows], and of the values;
//  5. what each [State] of the layers writes.
type stateHeader struct {
	Layers, Type, Rows uint32
}

// stateLayer is the shape of a layer in a state.
type stateLayer struct {
	KVHeads, HeadDim, Window uint32
}

// WriteState writes the text: its tokens, their keys and values in all layers, and what else layers keep. Pending rows are left out. If a layer
// keeps, or may keep, what can't be saved, it fails with an error that wraps [ErrStateful]; see [Stateful] and [State].
func (s *Sequence) WriteState(w io.Writer) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.d.unsaid != nil {
		return s.d.unsaid
	}
	c := s.cache
	for _, part := range []any{c.stateHeader(uint32(c.committed)), c.stateLayers(), s.text} {
		if err := binary.Write(w, binary.LittleEndian, part); err != nil {
			return err
		}
	}
	if err := c.eachRun(func(values any) error { return binary.Write(w, binary.LittleEndian, values) }); err != nil {
		return err
	}
	for _, state := range s.d.states {
		if err := state.WriteState(w, s.index); err != nil {
			return err
		}
	}
	return nil
}

// stateHeader returns the header of a state of so many rows.
func (c *KVCache) stateHeader(rows uint32) stateHeader {
	return stateHeader{uint32(len(c.layers)), uint32(c.config.Type), rows}
}

// stateLayers returns the shapes of the layers.
func (c *KVCache) stateLayers() []stateLayer {
	var shapes []stateLayer
	for _, l := range c.config.Layers {
		shapes = append(shapes, stateLayer{uint32(l.KVHeads), uint32(l.HeadDim), uint32(l.Window)})
	}
	return shapes
}

// ReadState replaces the text by one that WriteState wrote for a decoder of the same shape and type of keys and values; whether the weights are
// the same is the caller's care. After an error, which wraps [ErrState] where the state does not fit, the text is empty; if a layer does not say
// what it keeps, the error wraps [ErrStateful], and the text is as before.
func (s *Sequence) ReadState(r io.Reader) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.d.unsaid != nil {
		return s.d.unsaid
	}
	if err := s.Truncate(0); err != nil {
		return err
	}
	if err := s.readState(r); err != nil {
		return errors.Join(err, s.Truncate(0))
	}
	return nil
}

func (s *Sequence) readState(r io.Reader) error {
	c := s.cache
	var h stateHeader
	if err := binary.Read(r, binary.LittleEndian, &h); err != nil {
		return err
	}
	if want := c.stateHeader(h.Rows); h != want {
		return fmt.Errorf("layers: %w: it has keys and values of %d layers in %v; this one of %d in %v", ErrState,
			h.Layers, tensor.DType(h.Type), want.Layers, c.config.Type)
	}
	shapes := make([]stateLayer, len(c.layers))
	if err := binary.Read(r, binary.LittleEndian, shapes); err != nil {
		return err
	}
	for i, want := range c.stateLayers() {
		if got := shapes[i]; got != want {
			return fmt.Errorf("layers: %w: layer %d has %d heads of %d and a window of %d; here it has %d of %d and %d", ErrState, i,
				got.KVHeads, got.HeadDim, got.Window, want.KVHeads, want.HeadDim, want.Window)
		}
	}
	if int64(h.Rows) > int64(c.config.Context) {
		return fmt.Errorf("layers: a state of %d tokens: %w: it holds %d", h.Rows, ErrContextFull, c.config.Context)
	}
	// Memory grows with what arrives, not with what the header claims.
	for len(s.text) < int(h.Rows) {
		tokens := make([]int32, min(kvPageLen, int(h.Rows)-len(s.text)))
		if err := binary.Read(r, binary.LittleEndian, tokens); err != nil {
			return err
		}
		s.text = append(s.text, tokens...)
	}
	if err := s.d.model.Embedding.Check(s.text); err != nil {
		return fmt.Errorf("layers: %w: %w", ErrState, err)
	}
	c.committed = int(h.Rows)
	c.grow(c.committed)
	c.leave()
	if err := c.eachRun(func(values any) error { return binary.Read(r, binary.LittleEndian, values) }); err != nil {
		return err
	}
	for _, state := range s.d.states {
		if err := state.ReadState(r, s.index, c.committed); err != nil {
			return err
		}
	}
	return nil
}

// eachRun calls f with the committed keys and values, run by run, in the order of a state: each a slice that is part of the cache.
func (c *KVCache) eachRun(f func(values any) error) error {
	for i := range c.layers {
		for page := c.config.Layers[i].first(c.committed) / kvPageLen; page*kvPageLen < c.committed; page++ {
			rows := min(kvPageLen, c.committed-page*kvPageLen)
			kv := &c.layers[i]
			for head := range kv.KVHeads {
				for _, values := range pageRuns(kv, page, head, rows) {
					if err := f(values); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// pageRuns returns the first rows of a head in a page: of keys, of values, and of their scales if they have any.
func pageRuns(kv *kernels.KV, page, head, rows int) []any {
	from := head * kvPageLen * kv.HeadDim
	to := from + rows*kv.HeadDim
	switch {
	case kv.K32 != nil:
		return []any{kv.K32[page][from:to], kv.V32[page][from:to]}
	case kv.K8 != nil:
		runs := []any{kv.K8[page][from:to]}
		if kv.V4 != nil {
			runs = append(runs, kv.V4[page][from/2:to/2])
		} else {
			runs = append(runs, kv.V8[page][from:to])
		}
		for at := scaleAt(kv, head, 0); at < scaleAt(kv, head+1, 0); at += kvPageLen {
			runs = append(runs, kv.KScales[page][at:at+rows], kv.VScales[page][at:at+rows])
		}
		return runs
	default:
		return []any{kv.K[page][from:to], kv.V[page][from:to]}
	}
}
