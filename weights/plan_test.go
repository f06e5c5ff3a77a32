package weights

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/tensor"
)

// planStore is the manifest of a store with many segments. It has no files.
func planStore(t testing.TB, tied bool, layers int) *Store {
	t.Helper()
	a := bigShape
	a.layers = layers
	var steps [][]stored
	for _, step := range a.steps(tied) {
		var s []stored
		for _, r := range step {
			d := tensor.Q4_0
			if r.vector {
				d = tensor.F32
			}
			s = append(s, stored{name: r.name, dtype: d, rows: r.rows, cols: r.cols})
		}
		steps = append(steps, s)
	}
	chunks, tensors, err := layout(steps)
	if err != nil {
		t.Fatal(err)
	}
	return &Store{dir: "planned", manifest: &manifest{Chunks: chunks, Tensors: tensors}}
}

func TestPlanUsesTheMemory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := planStore(t, rapid.Bool().Draw(rt, "tied"), rapid.IntRange(1, 40).Draw(rt, "layers"))
		order, err := newScan(s.manifest)
		if err != nil {
			rt.Fatal(err)
		}
		opts := StreamOptions{
			DRAM:  rapid.Int64Range(1, s.Bytes()*5/4).Draw(rt, "limit"),
			Ring:  rapid.Int64Range(0, s.Bytes()).Draw(rt, "ring"),
			Tiles: rapid.IntRange(0, 200).Draw(rt, "tiles"),

			HeadOnce: rapid.Bool().Draw(rt, "head once"),
		}
		p, pins, err := s.manifest.plan(opts)
		least := s.manifest.least(&order)
		if opts.DRAM < least {
			if err == nil || !strings.Contains(err.Error(), "the least is") {
				rt.Fatalf("a memory limit of %d is enough: %v", opts.DRAM, err)
			}
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		all := order.bytes(0, len(order.segments))
		if p.Total() > p.DRAM || p.Pinned < all && p.Buffers < 1 || p.TileCount < 1 {
			rt.Fatalf("%d bytes of %d: %+v", p.Total(), p.DRAM, p)
		}
		if free := p.DRAM - p.Total(); p.Pinned < all && opts.Ring == 0 && free > 2*int64(p.BufferBytes) {
			rt.Fatalf("%d bytes are left over", free)
		}
		sum, streamed, inPlan := int64(0), int64(0), 0
		for i, e := range order.segments {
			if pins[i] {
				sum += int64(e.Size)
			} else if i < order.pass {
				streamed += int64(e.Size)
			}
		}
		for _, c := range p.Chunks {
			inPlan += len(c.Pins)
		}
		if sum != p.Pinned || streamed != p.Streamed || p.Pass != order.bytes(0, order.pass) || inPlan == 0 && sum > 0 {
			rt.Fatalf("%d pinned, %d streamed: %+v", sum, streamed, p)
		}
		checkOrder(rt, &order, pins, p, !opts.HeadOnce)
	})
}

// checkOrder checks that the head is pinned before the rest, if it comes first, and that pins of the rest are spread evenly.
func checkOrder(t *rapid.T, s *scan, pins []bool, p Plan, headFirst bool) {
	rest, head, pinned := int64(0), true, int64(0)
	for i, e := range s.segments[:s.pass] {
		if e.head {
			head = head && pins[i]
		}
		if e.head && headFirst {
			continue
		}
		if rest += int64(e.Size); pins[i] {
			pinned += int64(e.Size)
		}
	}
	if head != p.HeadPinned {
		t.Fatalf("head pinned: %t", p.HeadPinned)
	}
	if headFirst && !head && pinned > int64(s.largest()) {
		t.Fatalf("%d bytes of blocks are pinned before the head", pinned)
	}
	seen, sum := int64(0), int64(0)
	for i, e := range s.segments[:s.pass] {
		if e.head && headFirst {
			continue
		}
		seen += int64(e.Size)
		if pins[i] {
			sum += int64(e.Size)
		}
		due := float64(pinned) * float64(seen) / float64(rest)
		if off := float64(sum) - due; off > 3*float64(s.largest()) || off < -3*float64(s.largest()) {
			t.Fatalf("%d of the first %d bytes are pinned, %.0f would be even", sum, seen, due)
		}
	}
}

func TestPlanIsData(t *testing.T) {
	p, err := planStore(t, false, 4).Plan(20 << 20)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Plan
	if err := json.Unmarshal(raw, &back); err != nil || !reflect.DeepEqual(back, p) {
		t.Errorf("%v: %s", err, raw)
	}
}

// Order of a scan whose embedding is not the head: after it, a pass begins.
func TestScanOrder(t *testing.T) {
	order, err := newScan(planStore(t, false, 2).manifest)
	if err != nil {
		t.Fatal(err)
	}
	n := len(order.segments)
	if order.pass == n || order.next(order.pass-1) != 0 || order.next(n-1) != 0 || order.next(0) != 1 {
		t.Errorf("%d of %d in a pass", order.pass, n)
	}
	for i, at := 0, 3; i < order.pass; i, at = i+1, order.next(at) {
		if d := order.distance(3, at); d != i {
			t.Errorf("from 3 to %d: %d, not %d", at, d, i)
		}
	}
	if d := order.distance(order.pass, 0); d != n-order.pass {
		t.Errorf("from the embedding to the start: %d", d)
	}
}
