package weights

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/lever-go/lever/tensor"
)

const orderBlocks = 6

// orderStore makes a store of blocks of three matrices, each a segment.
func orderStore(t *testing.T) *Store {
	t.Helper()
	zeros := make([]byte, 2*1024*1024)
	made := func(rows int) Tensor {
		return Tensor{Type: tensor.F16, Rows: rows, Cols: 1024, Data: bytes.NewReader(zeros)}
	}
	m := Contents{
		Config: []byte(`{}`), Tensors: map[string]Tensor{"embedding": made(16), "final_norm": made(1)}, Steps: [][]string{{"embedding"}},
	}
	for i := range orderBlocks {
		for _, name := range []string{"gate", "up", "down"} {
			name = fmt.Sprint(name, i)
			m.Tensors[name] = made(1024)
			m.Steps = append(m.Steps, []string{name})
		}
	}
	m.Steps = append(m.Steps, []string{"final_norm"})
	dst := filepath.Join(t.TempDir(), "order.lever")
	if err := Write(t.Context(), m, dst, WriteOptions{Type: tensor.F16}); err != nil {
		t.Fatal(err)
	}
	return open(t, dst)
}

// Tensors that are asked for out of the store's order are counted and named, and cost reads. Passes that end early, use the head several
// times or leave tensors out are in order.
func TestOrderOfRequests(t *testing.T) {
	s := orderStore(t)
	const passes = 6
	inOrder := []string{"gate", "up", "down"}
	bytesRead := map[string]int64{}
	for name, test := range map[string]struct {
		order []string // of a block
		last  []string // of a pass
		late  int64    // in a pass
		first string
	}{
		"in order":                  {inOrder, []string{"final_norm"}, 0, ""},
		"without the end":           {inOrder, nil, 0, ""},
		"the head several times":    {inOrder, []string{"final_norm", "embedding", "final_norm", "embedding"}, 0, ""},
		"one left out":              {[]string{"gate", "down"}, []string{"final_norm"}, 0, ""},
		"exchanged":                 {[]string{"up", "gate", "down"}, []string{"final_norm"}, orderBlocks, "gate0"},
		"exchanged without the end": {[]string{"up", "gate", "down"}, nil, orderBlocks, "gate0"},
		"backwards":                 {[]string{"down", "up", "gate"}, []string{"final_norm"}, 2 * orderBlocks, "up0"},
	} {
		var traced []string
		told := make(chan string, passes*3*orderBlocks)
		r := stream(t, s, StreamOptions{DRAM: 14 << 20, Tiles: 1, Trace: func(lane, name string, _, _ time.Time) {
			if lane == "out of order" {
				told <- name
			}
		}})
		for range passes {
			var names []string
			for i := range orderBlocks {
				for _, name := range test.order {
					names = append(names, fmt.Sprint(name, i))
				}
			}
			for _, name := range slices.Concat(names, test.last) {
				for _, err := range r.Parts(t.Context(), name) {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		close(told)
		for name := range told {
			traced = append(traced, name)
		}
		stats := r.Stats()
		bytesRead[name] = stats.BytesRead
		if stats.OutOfOrder != passes*test.late || stats.FirstOutOfOrder != test.first || int64(len(traced)) != stats.OutOfOrder {
			t.Errorf("%s: %d out of order, %d in the trace, the first is %q; want %d, %q", name, stats.OutOfOrder, len(traced), stats.FirstOutOfOrder, passes*test.late, test.first)
		}
		if len(traced) > 0 && traced[0] != test.first {
			t.Errorf("%s: the trace begins with %s", name, traced[0])
		}
	}
	if in, out := bytesRead["in order"], bytesRead["exchanged"]; out*10 < in*11 {
		t.Errorf("%d bytes in order, %d out of it: the order no longer matters", in, out)
	}
}
