package gguf

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// interleaved returns blocks of Q4_0 as llama.cpp of 2024 kept them: byte i of the quants of n blocks comes from block i%(n·b)/b, at i/(n·b)·b+i%b.
func interleaved(plain []byte, rowBytes, n, b int) (out []byte) {
	const block, quants = 18, 16
	for group := 0; group < len(plain); group += n * rowBytes {
		for at := 0; at < rowBytes; at += block {
			of := func(row int) []byte { return plain[group+row*rowBytes+at:][:block] }
			for row := range n {
				out = append(out, of(row)[:2]...)
			}
			for i := range n * quants {
				out = append(out, of(i % (n * b) / b)[2+i/(n*b)*b+i%b]^0x88)
			}
		}
	}
	return out
}

func TestInterleavedRows(t *testing.T) {
	const rows, cols = 16, 96
	rowBytes := tensor.Q4_0.RowBytes(cols)
	plain := make([]byte, rows*rowBytes)
	rng := rand.New(rand.NewPCG(3, 1))
	for i := range plain {
		plain[i] = byte(rng.Uint32())
	}
	for number, shape := range interleavings {
		raw := encode(t, Content{Tensors: []Tensor{{Name: "w", Shape: []int{cols, rows}, Type: tensor.Q4_0, Data: interleaved(plain, rowBytes, shape.rows, shape.bytes)}}})
		asType := func(rows uint64) []byte {
			old := le.AppendUint32(le.AppendUint64(le.AppendUint64(nil, cols), 16), 2)
			return replace(t, raw, old, le.AppendUint32(le.AppendUint64(le.AppendUint64(nil, cols), rows), number))
		}
		f, err := read(asType(rows))
		if err != nil {
			t.Fatal(err)
		}
		info := f.Tensors[0]
		if info.Type != tensor.Q4_0 {
			t.Errorf("%d is %v", number, info.Type)
		}
		got, err := io.ReadAll(f.Section(info))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: other blocks than before (%v)", typeNames[number], err)
		}
		part := make([]byte, 3*rowBytes+5) // from within a group into the next
		if _, err := f.Section(info).ReadAt(part, int64(2*rowBytes+7)); err != nil || !bytes.Equal(part, plain[2*rowBytes+7:][:len(part)]) {
			t.Errorf("%s: a part differs (%v)", typeNames[number], err)
		}
		if _, err := read(asType(15)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "whole groups") {
			t.Errorf("%s with 15 rows: %v", typeNames[number], err)
		}
	}
}

func TestTypesThatAreNotRead(t *testing.T) {
	raw := encode(t, Content{Tensors: []Tensor{{Name: "w", Shape: []int{1024, 1}, Type: tensor.F32, Data: make([]byte, 4096)}}})
	for number, want := range map[uint32]string{
		9: "type Q8_1;", 15: "type Q8_K;", 34: "type TQ1_0;", 35: "type TQ2_0;", 36: "type IQ4_NL_4_4;", 40: "type NVFP4;", 139: "ik_llama.cpp", 5000: "unknown type 5000",
	} {
		old, with := le.AppendUint32(le.AppendUint64(le.AppendUint64(nil, 1024), 1), 0), le.AppendUint32(le.AppendUint64(le.AppendUint64(nil, 1024), 1), number)
		if _, err := read(replace(t, raw, old, with)); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("type %d: %v", number, err)
		}
	}
}
