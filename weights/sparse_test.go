package weights

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lever-go/lever/tensor"
)

const (
	experts     = 16
	expertBytes = 3 * 64 * 256 * 2 // as stored
)

// expertStore makes a store of one layer: a norm, experts, and a final norm. Experts are marked, or each is a step of its own.
func expertStore(t *testing.T, marked bool) *Store {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(rows int) Tensor {
		values := make([]float32, rows*256)
		for i := range values {
			values[i] = rng.Float32()
		}
		data := make([]byte, 4*len(values))
		if err := tensor.Encode(data, values, tensor.F32); err != nil {
			t.Fatal(err)
		}
		return Tensor{Type: tensor.F32, Rows: rows, Cols: 256, Data: bytes.NewReader(data)}
	}
	m := Contents{Config: []byte(`{}`), Tensors: map[string]Tensor{"embedding": random(16), "norm": random(1), "final_norm": random(1)}}
	m.Steps = [][]string{{"embedding"}, {"norm"}}
	for e := range experts {
		names := expertNames(e)
		for _, name := range names {
			x := random(64)
			if marked {
				x.Expert = fmt.Sprint(e)
			}
			m.Tensors[name] = x
		}
		if marked {
			m.Steps[1] = append(m.Steps[1], names...)
		} else {
			m.Steps = append(m.Steps, names)
		}
	}
	m.Steps = append(m.Steps, []string{"final_norm"})
	dst := filepath.Join(t.TempDir(), "experts.lever")
	if err := Write(t.Context(), m, dst, WriteOptions{Type: tensor.F16}); err != nil {
		t.Fatal(err)
	}
	return open(t, dst)
}

func expertNames(e int) []string {
	return []string{fmt.Sprint("expert.", e, ".gate"), fmt.Sprint("expert.", e, ".up"), fmt.Sprint("expert.", e, ".down")}
}

// route returns the experts of each pass, evenly chosen.
func route(passes, chosen int) (all [][]int) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range passes {
		pick := rng.Perm(experts)[:chosen]
		slices.Sort(pick)
		all = append(all, pick)
	}
	return all
}

// misses returns how often a cache that keeps n experts, those with the largest sum of 2^(−age/halfLife) over their uses, lacks one.
func misses(passes [][]int, n int) (misses int) {
	var kept []int
	var uses [experts][]int
	worth := func(e, pass int) (sum float64) {
		for _, at := range uses[e] {
			sum += math.Exp2(float64(at-pass) / halfLife)
		}
		return sum
	}
	for pass, pick := range passes {
		for _, e := range pick {
			if !slices.Contains(kept, e) {
				if misses++; len(kept) == n {
					least := slices.MinFunc(kept, func(a, b int) int {
						return cmp.Or(cmp.Compare(worth(a, pass), worth(b, pass)), cmp.Compare(uses[a][len(uses[a])-1], uses[b][len(uses[b])-1]))
					})
					kept = slices.DeleteFunc(kept, func(e int) bool { return e == least })
				}
				kept = append(kept, e)
			}
			uses[e] = append(uses[e], pass)
		}
	}
	return misses
}

// Of experts, what is read is what a cache of those used most and last would read, and at most once more at the start, before it is known that they
// are left out at times, unless the store says so. More memory never means more reads.
func TestExpertsAreNotReadAhead(t *testing.T) {
	for _, c := range []struct{ marked, prefetch bool }{{false, false}, {true, false}, {true, true}} {
		t.Run(fmt.Sprintf("marked=%v/prefetch=%v", c.marked, c.prefetch), func(t *testing.T) { testExperts(t, c.marked, c.prefetch) })
	}
}

func testExperts(t *testing.T, marked, prefetch bool) {
	s := expertStore(t, marked)
	want := resident(t, s.Dir())
	passes := route(100, 2)
	before := int64(1 << 60)
	for _, limit := range []int64{expertBytes + 40<<10, 3*expertBytes + 40<<10, 5*expertBytes + 40<<10, 8*expertBytes + 40<<10, 12*expertBytes + 40<<10, 15*expertBytes + 40<<10, 1 << 30} {
		r := stream(t, s, StreamOptions{DRAM: limit, Tiles: 1})
		for _, pick := range passes {
			same(t, want, r, "norm")
			if prefetch {
				r.Prefetch(slices.Concat(expertNames(pick[0]), expertNames(pick[1])))
			}
			for _, e := range pick {
				for _, name := range expertNames(e) {
					same(t, want, r, name)
				}
			}
			same(t, want, r, "final_norm")
		}
		stats, plan := r.Stats(), r.Plan()
		if stats.OutOfOrder != 0 {
			t.Errorf("limit %d: %s is out of order", limit, stats.FirstOutOfOrder)
		}
		kept := experts
		if limit < s.Bytes() {
			if kept = int(plan.Kept / expertBytes); kept == 0 || plan.Ring != 0 {
				t.Errorf("limit %d: %+v", limit, plan)
			}
		}
		least := int64(misses(passes, kept)) * expertBytes
		most := least + experts*expertBytes
		if marked {
			most = least + 64<<10 // the norms
		}
		if prefetch { // which knows what is used next, better than that cache
			least = least * 9 / 10
			most += 2 * expertBytes
		}
		if stats.BytesRead < least || stats.BytesRead > most {
			t.Errorf("limit %d for %d experts: %d bytes read, want %d to %d", limit, kept, stats.BytesRead, least, most)
		}
		if stats.BytesRead > before || stats.PeakBytes > limit {
			t.Errorf("limit %d: %d bytes read, %d with less memory; %d held", limit, stats.BytesRead, before, stats.PeakBytes)
		}
		before = stats.BytesRead
	}
}

// Experts that every pass uses again are read ahead again, by the plan of a model without experts.
func TestExpertsThatAllPassesUse(t *testing.T) {
	s := expertStore(t, false)
	want := resident(t, s.Dir())
	r := stream(t, s, StreamOptions{DRAM: 4*expertBytes + 40<<10, Tiles: 1})
	dense := r.Plan()
	pass := func(pick []int) {
		same(t, want, r, "norm")
		for _, e := range pick {
			for _, name := range expertNames(e) {
				same(t, want, r, name)
			}
		}
		same(t, want, r, "final_norm")
	}
	for _, pick := range route(5, 2) {
		pass(pick)
	}
	if r.Plan().Kept == 0 {
		t.Error("no experts were found")
	}
	all := slices.Collect(func(yield func(int) bool) {
		for e := range experts {
			yield(e)
		}
	})
	for range patience + 1 {
		pass(all)
	}
	if plan := r.Plan(); plan.Kept != 0 || plan.Pinned != dense.Pinned || plan.Ring != dense.Ring {
		t.Errorf("the plan is %+v, was %+v", plan, dense)
	}
	seeks := r.Stats().Seeks
	pass(all)
	if got := r.Stats().Seeks; got != seeks {
		t.Errorf("%d seeks in a pass that leaves nothing out", got-seeks)
	}
}

// What a pass without experts asks for in other orders, or several times, is not taken for experts.
func TestDenseOrders(t *testing.T) {
	for name, reorder := range map[string]func(names []string) []string{
		"in order":         func(names []string) []string { return names },
		"without the head": func(names []string) []string { return names[:len(names)-2] },
		"head three times": func(names []string) []string {
			return append(slices.Clone(names), "head", "final_norm", "head")
		},
		"two swapped": func(names []string) []string {
			names = slices.Clone(names)
			i := slices.Index(names, "block.0.up")
			names[i], names[i-1] = names[i-1], names[i]
			return names
		},
		"blocks twice": func(names []string) (twice []string) {
			half := len(names) / 2
			return slices.Concat(names[:half], names[:half], names[half:])
		},
	} {
		s := open(t, smallStore(t))
		r := stream(t, s, StreamOptions{})
		for range 4 {
			for _, name := range reorder(passNames(s)) {
				for _, err := range r.Parts(t.Context(), name) {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if i := slices.IndexFunc(r.leftOut, func(n int) bool { return n > 0 }); i >= 0 {
			t.Errorf("%s: segment %d is taken for one that is left out", name, i)
		}
	}
}

// Whatever is left out, and however the limit changes meanwhile, what is read is right and within the limit.
func TestExpertsAtRandom(t *testing.T) {
	for _, marked := range []bool{false, true} {
		t.Run(fmt.Sprintf("marked=%v", marked), func(t *testing.T) { testExpertsAtRandom(t, expertStore(t, marked)) })
	}
}

func testExpertsAtRandom(t *testing.T, s *Store) {
	want := resident(t, s.Dir())
	rng := rand.New(rand.NewPCG(5, 6))
	for _, opts := range []StreamOptions{{DRAM: 2*expertBytes + 40<<10, Tiles: 1}, {DRAM: 6*expertBytes + 40<<10}, {}} {
		r := stream(t, s, opts)
		for range 60 {
			if rng.IntN(4) == 0 {
				if _, err := r.Resize(int64(expertBytes*(1+rng.IntN(experts+2)) + 40<<10)); err != nil {
					t.Fatal(err)
				}
			}
			if rng.IntN(8) > 0 {
				same(t, want, r, "norm")
			}
			if rng.IntN(8) == 0 {
				same(t, want, r, "embedding")
			}
			if rng.IntN(2) == 0 {
				r.Prefetch(slices.Concat(expertNames(rng.IntN(experts)), expertNames(rng.IntN(experts)), expertNames(rng.IntN(experts)), []string{"none"}))
			}
			for e := range experts {
				if rng.IntN(3) == 0 {
					same(t, want, r, expertNames(e)[rng.IntN(3)])
				}
			}
			if rng.IntN(8) > 0 {
				same(t, want, r, "final_norm")
			}
			if held, plan := r.Stats().HeldBytes, r.Plan(); held > plan.Total() {
				t.Fatalf("%d bytes are held, more than planned: %+v", held, plan)
			}
		}
	}
}

// An expert that many rows of a batch use is kept before those that the passes after it use once.
func TestExpertsOfManyRowsAreKept(t *testing.T) {
	s := expertStore(t, true)
	want := resident(t, s.Dir())
	r := stream(t, s, StreamOptions{DRAM: 3*expertBytes + 40<<10, Tiles: 1})
	pass := func(uses int, experts ...int) {
		same(t, want, r, "norm")
		var names []string
		for _, e := range experts {
			for range uses - 1 {
				names = append(names, expertNames(e)[0])
			}
			names = append(names, expertNames(e)...)
		}
		r.Prefetch(names)
		for _, e := range experts {
			for _, name := range expertNames(e) {
				same(t, want, r, name)
			}
		}
		same(t, want, r, "final_norm")
	}
	pass(8, 0)
	for e := 1; e < experts; e++ {
		pass(1, e)
	}
	before := r.Stats().ExpertReads
	pass(1, 0)
	if got := r.Stats().ExpertReads; got != before || before != experts {
		t.Errorf("%d experts were read before, and then %d, want %d and none", before, got-before, experts)
	}
}

// What two calls have told is read, whichever is used first; an expert of both stays until both have used it, and a third call replaces what the first
// has told. All else is in memory then.
func TestPrefetchByTurns(t *testing.T) {
	s := expertStore(t, true)
	want := resident(t, s.Dir())
	r := stream(t, s, StreamOptions{DRAM: 4*expertBytes + 40<<10, Tiles: 1})
	for range 3 {
		same(t, want, r, "norm")
		r.Prefetch(slices.Concat(expertNames(0), expertNames(1)))
		r.Prefetch(slices.Concat(expertNames(1), expertNames(2)))
		use := func(experts ...int) {
			for _, e := range experts {
				for _, name := range expertNames(e) {
					same(t, want, r, name)
				}
			}
		}
		use(0, 1)
		r.Prefetch(slices.Concat(expertNames(3), expertNames(4))) // for which there is room when expert 0 is given up alone
		use(1, 2, 3, 4)
		same(t, want, r, "final_norm")
	}
	if !r.Resident() {
		t.Errorf("not all but experts is in memory: %+v", r.Plan())
	}
	stats := r.Stats()
	if stats.Experts != 3*5 {
		t.Errorf("%d experts in three passes, want 5 in each", stats.Experts)
	}
	if stats.ExpertReads < 5 || stats.ExpertReads > 3*5 || stats.Seeks != 0 {
		t.Errorf("%d experts read, %d of them unforeseen", stats.ExpertReads, stats.Seeks)
	}
}
