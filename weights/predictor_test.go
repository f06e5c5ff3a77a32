package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// smallPredictor returns a predictor of random weights.
func smallPredictor(t testing.TB, layer int) *StoredPredictor {
	t.Helper()
	random := rand.New(rand.NewPCG(7, uint64(layer)))
	matrix := func(rows, cols int) tensor.Packed {
		values, plain := make([]float32, rows*cols), make([]byte, rows*tensor.Q8_0.RowBytes(cols))
		for i := range values {
			values[i] = float32(random.NormFloat64())
		}
		p := tensor.Packed{Type: tensor.Q8_0, Rows: rows, Cols: cols, Data: make([]byte, tensor.PackedBytes(tensor.Q8_0, rows, cols))}
		if err := errors.Join(tensor.Encode(plain, values, tensor.Q8_0), tensor.Pack(p.Data, plain, tensor.Q8_0, rows, cols)); err != nil {
			t.Fatal(err)
		}
		return p
	}
	return &StoredPredictor{
		Layer: layer, NormEps: 1e-5, Blend: [3]float64{1, 0.5, -1}, Down: matrix(32, 64), Out: matrix(50, 32),
		Training: Training{Samples: 1000, Choices: 100, Temperature: 1.5, Seed: 3, Epochs: 4, HeldOutLoss: 0.5, Agreement: 0.7},
	}
}

func mustOpen(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPredictorRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd [name]*.lever")
	if err := os.Rename(smallStore(t), dir); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir)
	if got, err := s.Predictors(); err != nil || got != nil {
		t.Fatalf("a store without predictors has %v, %v", got, err)
	}
	for _, layer := range []int{11, 2, 2} { // the last takes the place of the one before
		if err := s.WritePredictor(smallPredictor(t, layer)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Predictors()
	if err != nil || len(got) != 2 || got[0].Layer != 2 || got[1].Layer != 11 {
		t.Fatal(got, err)
	}
	for i, p := range got {
		want := smallPredictor(t, p.Layer)
		if p.NormEps != want.NormEps || p.Blend != want.Blend || p.Training != want.Training || !bytes.Equal(p.Down.Data, want.Down.Data) || !bytes.Equal(p.Out.Data, want.Out.Data) {
			t.Errorf("predictor %d came back otherwise", i)
		}
	}
	info, err := Inspect(dir)
	if err != nil || len(info.Predictors) != 2 || info.Predictors[1].Rank != 32 {
		t.Errorf("inspect: %+v, %v", info, err)
	}
	if err := errors.Join(Verify(t.Context(), dir, nil), s.RemovePredictor(2), s.RemovePredictor(2)); err != nil {
		t.Error(err)
	}
	if got, err := s.Predictors(); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
}

func TestSpoiltPredictors(t *testing.T) {
	dir := smallStore(t)
	s := mustOpen(t, dir)
	content, err := encodePredictor(smallPredictor(t, 3), s.Identity())
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := encodePredictor(smallPredictor(t, 3), strings.Repeat("0", 64))
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) []byte {
		spoilt := bytes.Clone(content)
		spoilt[at] ^= 4
		return spoilt
	}
	for name, c := range map[string]struct {
		content []byte
		want    error
	}{
		"of another model": {foreign, ErrForeign},
		"magic":            {flip(0), ErrCorrupt},
		"version":          {flip(8), ErrVersion},
		"header size":      {flip(15), ErrCorrupt},
		"header":           {flip(16), ErrCorrupt},
		"padding":          {flip(4000), ErrCorrupt},
		"matrix":           {flip(5000), ErrCorrupt},
		"checksum":         {flip(len(content) - 1), ErrCorrupt},
		"empty":            {nil, ErrTruncated},
		"half":             {content[:len(content)/2], ErrTruncated},
		"one byte less":    {content[:len(content)-1], ErrTruncated},
		"one byte more":    {append(bytes.Clone(content), 0), ErrCorrupt},
	} {
		path := filepath.Join(dir, "predictor-03.bin")
		if err := os.WriteFile(path, c.content, 0o644); err != nil {
			t.Fatal(err)
		}
		for what, check := range map[string]func() error{
			"read":   func() error { _, err := s.Predictors(); return err },
			"verify": func() error { return Verify(t.Context(), dir, nil) },
		} {
			if err := check(); !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s, %s: %v, want %v", name, what, err, c.want)
			}
		}
		if info, err := Inspect(dir); err != nil || len(info.Notes) != 1 || !strings.Contains(info.Notes[0], path) {
			t.Errorf("%s, inspect: %+v, %v", name, info, err)
		}
	}
	if err := os.Rename(filepath.Join(dir, "predictor-03.bin"), filepath.Join(dir, "predictor-04.bin")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "predictor-04.bin"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Predictors(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("under another layer's name: %v", err)
	}
}

func TestWritePredictorRefusesWhatDoesNotFit(t *testing.T) {
	s := mustOpen(t, smallStore(t))
	for name, spoil := range map[string]func(*StoredPredictor){
		"rank": func(p *StoredPredictor) {
			p.Down.Rows, p.Down.Data = 16, p.Down.Data[:tensor.PackedBytes(tensor.Q8_0, 16, 64)]
		},
		"data":  func(p *StoredPredictor) { p.Out.Data = p.Out.Data[1:] },
		"layer": func(p *StoredPredictor) { p.Layer = -1 },
		"norm":  func(p *StoredPredictor) { p.NormEps = -1 },
		"trust": func(p *StoredPredictor) { p.Blend[1] = math.NaN() },
	} {
		p := smallPredictor(t, 1)
		spoil(p)
		if err := s.WritePredictor(p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzPredictor(f *testing.F) {
	content, err := encodePredictor(smallPredictor(f, 3), "model")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add(content[:100])
	header, err := json.Marshal(predictorHeader{Width: 1 << 23, Rank: 1 << 23, Vocab: 1 << 27, Type: "q8_0"})
	if err != nil {
		f.Fatal(err)
	}
	large := append([]byte(predictorMagic), PredictorVersion, 0, 0, 0, byte(len(header)), 0, 0, 0)
	f.Add(append(append(large, header...), make([]byte, 64)...))
	f.Fuzz(func(t *testing.T, content []byte) {
		p, _, err := parsePredictor(content)
		if err == nil {
			err = p.check()
		} else if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrUnsupported) {
			t.Fatalf("error of no kind: %v", err)
		}
		if err == nil && p.Out.Cols != p.Down.Rows {
			t.Fatal("matrices that do not fit")
		}
	})
}
