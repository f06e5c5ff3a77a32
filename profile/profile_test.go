package profile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// synthetic is a profile with figures that are easy to compute with.
func synthetic() *Profile {
	reads := func(size int64, depth int, bandwidth float64) Reads {
		mean := float64(size*int64(depth)) / bandwidth
		return Reads{
			Size: size, Depth: depth, Count: 1000, BytesPerSecond: bandwidth,
			Latency: Quantiles{Min: 0.9 * mean, P50: 0.95 * mean, P90: mean, P99: 1.5 * mean, Max: 4 * mean},
			Arrival: gaincost.Latency{Mean: float64(size) / bandwidth, Deviation: 0.1 * float64(size) / bandwidth},
		}
	}
	return &Profile{
		Format: format, Version: version, Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Machine: Machine{"linux", "arm64", 8, 4}, Kernels: "ref", Memory: 1e10,
		Flash: Flash{
			Mode: weights.Direct, Origin: FromFile, BestSize: 1 << 20, BestDepth: 2,
			Reads: []Reads{reads(4096, 1, 1e8), reads(4096, 2, 2e8), reads(1<<20, 1, 1e9), reads(1<<20, 2, 1<<30)},
		},
		Target: &ModelTimes{
			Name: "target.lever", Hash: "aa", Bytes: 1 << 30, Blocks: 4, Attention: 1e-6,
			Block:      []gaincost.Point{{Rows: 1, Seconds: 0.01}, {Rows: 4, Seconds: 0.02}},
			Projection: []gaincost.Point{{Rows: 1, Seconds: 0.005}, {Rows: 4, Seconds: 0.01}},
		},
		Draft: &ModelTimes{
			Name: "draft.lever", Hash: "bb", Bytes: 1 << 20, Blocks: 2,
			Block:      []gaincost.Point{{Rows: 1, Seconds: 0.001}},
			Projection: []gaincost.Point{{Rows: 1, Seconds: 0.002}},
		},
	}
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "profile.json")
	want := synthetic()
	for range 2 { // the second replaces the first
		if err := want.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Profile)
		want   error
	}{
		"other format":     {func(p *Profile) { p.Format = "lever-store" }, ErrInvalid},
		"future version":   {func(p *Profile) { p.Version = 2 }, ErrVersion},
		"no memory":        {func(p *Profile) { p.Memory = 0 }, ErrInvalid},
		"mode":             {func(p *Profile) { p.Flash.Mode = "guessed" }, ErrInvalid},
		"no reads":         {func(p *Profile) { p.Flash.Reads = nil }, ErrInvalid},
		"negative reads":   {func(p *Profile) { p.Flash.Reads[0].BytesPerSecond = -1 }, ErrInvalid},
		"latencies":        {func(p *Profile) { p.Flash.Reads[0].Latency.P50 = 9 }, ErrInvalid},
		"arrivals":         {func(p *Profile) { p.Flash.Reads[0].Arrival.Mean = -1 }, ErrInvalid},
		"order":            {func(p *Profile) { p.Flash.Reads[1].Depth = 1 }, ErrInvalid},
		"best":             {func(p *Profile) { p.Flash.BestDepth = 3 }, ErrInvalid},
		"no blocks":        {func(p *Profile) { p.Target.Blocks = 0 }, ErrInvalid},
		"no times":         {func(p *Profile) { p.Target.Block = nil }, ErrInvalid},
		"rows descend":     {func(p *Profile) { p.Draft.Block = []gaincost.Point{{Rows: 2, Seconds: 1}, {Rows: 1, Seconds: 1}} }, ErrInvalid},
		"projection":       {func(p *Profile) { p.Draft.Projection[0].Seconds = -1 }, ErrInvalid},
		"attention":        {func(p *Profile) { p.Target.Attention = -1 }, ErrInvalid},
		"too many blocks":  {func(p *Profile) { p.Target.Blocks = 1 << 30 }, ErrInvalid},
		"nothing the size": {func(p *Profile) { p.Flash.Reads[0].Size = 0 }, ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			p := synthetic()
			test.change(p)
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(text); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	text, _ := json.Marshal(synthetic())
	for name, bad := range map[string]string{
		"unknown key": strings.Replace(string(text), `"kernels"`, `"colonels"`, 1), "cut": string(text[:len(text)-1]), "more": string(text) + "{}",
	} {
		if _, err := Parse([]byte(bad)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A profile that is accepted can be written, converted and used.
func FuzzParse(f *testing.F) {
	text, err := json.Marshal(synthetic())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format":"lever-profile","version":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrVersion) {
				t.Errorf("unnamed error %v", err)
			}
			return
		}
		if _, err := p.Flash.Emulate("fuzz"); err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, weights.ErrCorrupt) {
			t.Errorf("unnamed error %v", err)
		}
		_, _ = p.Costs(PassReads{Head: 1 << 20, Position: 100})
	})
}

func TestCosts(t *testing.T) {
	p := synthetic()
	costs, err := p.Costs(PassReads{Blocks: []int64{2 << 20, 0, 2 << 20, 0}, Ring: 5 << 20, Position: 1000})
	if err != nil {
		t.Fatal(err)
	}
	read := gaincost.Latency{Mean: 2. / 1024, Deviation: math.Sqrt2 * 0.1 / 1024}
	if len(costs.Layers) != 4 || !nearly(costs.Layers[0].Read.Mean, read.Mean) || !nearly(costs.Layers[2].Read.Deviation, read.Deviation) ||
		costs.Layers[1].Read != (gaincost.Latency{}) || costs.Ring != 2 || costs.Project != 0.005 {
		t.Errorf("%+v", costs)
	}
	for rows, want := range map[int]float64{1: 4 * 0.011, 4: 4 * 0.024} {
		if got := costs.Compute.At(rows); !nearly(got, want) {
			t.Errorf("%d rows take %v s, want %v", rows, got, want)
		}
	}
	if got := costs.Draft.At(1); !nearly(got, 0.004) {
		t.Errorf("a draft takes %v s", got)
	}
	if _, err := gaincost.NewCostModel(costs, 0.9); err != nil {
		t.Error(err)
	}

	streamed, err := p.Costs(PassReads{Head: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if len(streamed.Layers) != 5 || streamed.Project != 0 || !nearly(streamed.Layers[4].Share, 0.5) || !nearly(streamed.Compute.At(4), 0.09) {
		t.Errorf("%+v", streamed)
	}
	for _, bad := range []PassReads{{Blocks: []int64{1}}, {Head: -1}, {Ring: -1}, {Position: -1}, {Blocks: []int64{0, 0, 0, -1}}} {
		if _, err := p.Costs(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	p.Target = nil
	if _, err := p.Costs(PassReads{}); err == nil {
		t.Error("a profile without a target has costs")
	}
}

// A plan of a streamer says what is read of each block and of the head.
func TestPassReadsOf(t *testing.T) {
	target, _ := openDemo(t)
	p, err := target.Plan(8 << 20)
	if err != nil {
		t.Fatal(err)
	}
	plan := PassReadsOf(p)
	streamed := plan.Head
	for _, n := range plan.Blocks {
		streamed += n
	}
	if len(plan.Blocks) != 8 || streamed != p.Streamed || plan.Ring != p.Ring {
		t.Errorf("%+v of %+v", plan, p)
	}
	if p, err = target.Plan(1 << 30); err != nil {
		t.Fatal(err)
	}
	if plan := PassReadsOf(p); plan.Head != 0 || slices.ContainsFunc(plan.Blocks, func(n int64) bool { return n != 0 }) {
		t.Errorf("%+v although all is pinned", plan)
	}
}

func nearly(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

func TestEmulate(t *testing.T) {
	p := synthetic()
	flash, err := p.Flash.Emulate("mine")
	if err != nil {
		t.Fatal(err)
	}
	if flash.Name != "mine" || flash.BytesPerSecond[0][0] != 1e8 || flash.BytesPerSecond[1][1] != 1<<30 {
		t.Errorf("%+v", flash)
	}
	text, err := json.Marshal(flash)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flashsim.Parse(text); err != nil {
		t.Error(err)
	}
}

// Whatever noise there was, a device can be made of the figures, and it is no faster than they say.
func TestEmulateSmoothsNoise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f Flash
		for _, size := range readSizes {
			for _, depth := range readDepths {
				seconds := rapid.SliceOfN(rapid.Float64Range(1e-5, 1e-1), 5, 5).Draw(t, "latencies")
				var samples []sample
				at := 0.0
				for _, s := range seconds {
					samples = append(samples, sample{at, at + s})
					at += s / float64(depth)
				}
				r, err := summarise(size, depth, [][]sample{samples})
				if err != nil {
					t.Fatal(err)
				}
				f.Reads = append(f.Reads, r)
			}
		}
		f.Mode = weights.Direct
		f.choose()
		if err := f.check(); err != nil {
			t.Fatal(err)
		}
		flash, err := f.Emulate("noisy")
		if err != nil {
			t.Fatal(err)
		}
		for i, size := range flash.Sizes {
			for j, depth := range flash.Depths {
				if r, _ := f.find(size, depth); flash.BytesPerSecond[i][j] > 1.001*r.BytesPerSecond {
					t.Fatalf("%v instead of %v", flash.BytesPerSecond[i][j], r.BytesPerSecond)
				}
			}
		}
	})
}

func TestSummarise(t *testing.T) {
	undisturbed := []sample{{0, 1}, {0, 2}, {1, 3}, {2, 4}}
	r, err := summarise(1000, 2, [][]sample{undisturbed, undisturbed, {{0, 1000}}})
	if err != nil {
		t.Fatal(err)
	}
	want := Reads{
		Size: 1000, Depth: 2, Count: 9, BytesPerSecond: 1000,
		Latency: Quantiles{Min: 1, P50: 2, P90: 2, P99: 2, Max: 1000}, Arrival: r.Arrival,
	}
	if r != want || r.Arrival.Mean != 112 {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestTypicalTimes(t *testing.T) {
	if got := typical([]float64{9, 1, 2, 7, 3}); got != 2 {
		t.Errorf("got %v", got)
	}
	points := []gaincost.Point{{Rows: 1, Seconds: 3}, {Rows: 2, Seconds: 5}, {Rows: 4, Seconds: 4}, {Rows: 8, Seconds: 6}}
	settle(points)
	if points[0].Seconds != 3 || points[1].Seconds != 4 || points[2].Seconds != 4 || points[3].Seconds != 6 {
		t.Errorf("got %v", points)
	}
}

func TestChoose(t *testing.T) {
	f := Flash{Reads: []Reads{
		{Size: 4096, Depth: 1, BytesPerSecond: 5e9}, // too small to stream with
		{Size: 1 << 20, Depth: 1, BytesPerSecond: 1e9}, {Size: 1 << 20, Depth: 4, BytesPerSecond: 1.98e9},
		{Size: 4 << 20, Depth: 1, BytesPerSecond: 1.9e9}, {Size: 4 << 20, Depth: 2, BytesPerSecond: 2e9},
		{Size: 8 << 20, Depth: 1, BytesPerSecond: 3e9}, // rests during checks
	}}
	if f.choose(); f.BestSize != 1<<20 || f.BestDepth != 4 {
		t.Errorf("%d bytes at depth %d", f.BestSize, f.BestDepth)
	}
}

func openDemo(t *testing.T) (target, draft *weights.Store) {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var stores []*weights.Store
	for _, dir := range []string{pair.Target, pair.Draft} {
		s, err := weights.Open(t.Context(), dir, weights.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	return stores[0], stores[1]
}

// The demo pair is measured in a moment, and what comes out is whole.
func TestMeasure(t *testing.T) {
	target, draft := openDemo(t)
	pool := kernels.NewPool(2)
	defer pool.Close()
	tasks, dir := map[string]Progress{}, t.TempDir()
	p, err := Measure(t.Context(), Options{
		Target: target, Draft: draft, Pool: pool, Dir: dir, Duration: 300 * time.Millisecond,
		Progress: func(p Progress) { tasks[p.Task] = p },
	})
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v is left, %v", entries, err)
	}
	for _, task := range []string{"reading from flash", "computing the target", "computing the draft"} {
		if at := tasks[task]; at.Done != at.Total || at.Total == 0 {
			t.Errorf("%s ended at %d of %d", task, at.Done, at.Total)
		}
	}
	hash, err := target.Hash()
	if err != nil {
		t.Fatal(err)
	}
	if p.Target.Hash != hash || p.Target.Blocks != 8 || p.Draft.Blocks != 3 || len(p.Flash.Reads) != len(readSizes)*len(readDepths) {
		t.Errorf("%+v", p)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = Parse(text); err != nil {
		t.Fatal(err)
	}
	costs, err := p.Costs(PassReads{Blocks: make([]int64, 8), Head: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gaincost.NewCostModel(costs, 0); err != nil {
		t.Error(err)
	}
	if _, err := p.Flash.Emulate("this"); err != nil {
		t.Error(err)
	}
}

// A store that is large enough is read itself, and not a temporary file.
func TestMeasureReadsTheStore(t *testing.T) {
	target, _ := openDemo(t)
	r, err := openReadable(t.Context(), target, "", target.Bytes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if r.source != FromStore || r.remove != nil {
		t.Errorf("%+v", r)
	}
	reads, err := r.measure(t.Context(), 64<<10, 2, time.Millisecond)
	if err != nil || len(reads) < 2 {
		t.Errorf("%d reads, %v", len(reads), err)
	}
	if _, err := r.measure(t.Context(), 1<<30, 1, time.Millisecond); err == nil {
		t.Error("more than there is was read")
	}
}

func TestMeasureIsCancelled(t *testing.T) {
	for _, when := range []string{"writing a file to read", "reading from flash"} {
		ctx, cancel := context.WithCancel(t.Context())
		dir := t.TempDir()
		_, err := Measure(ctx, Options{Dir: dir, Duration: 2 * time.Second, Progress: func(p Progress) {
			if p.Task == when {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", when, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("%s: %v is left, %v", when, entries, err)
		}
		cancel()
	}
	if _, err := Measure(t.Context(), Options{}); err == nil {
		t.Error("nothing can be measured")
	}
}

// While a temporary file is read, it has no name any more, so that nothing is left of it when the process is killed.
func TestTemporaryFileHasNoName(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: a file that is in use keeps its name there")
	}
	dir := t.TempDir()
	r, err := openReadable(t.Context(), nil, dir, 8<<20, func(int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if reads, err := r.measure(t.Context(), 1<<20, 2, time.Millisecond); err != nil || len(reads) < 2 {
		t.Errorf("%d reads, %v", len(reads), err)
	}
	if err := r.close(); err != nil {
		t.Error(err)
	}
}

// Of a model of another architecture, the flash that it lies on is measured all the same.
func TestMeasureWithAnotherArchitecture(t *testing.T) {
	row := weights.Tensor{Type: tensor.F32, Rows: 16, Cols: 32, Data: bytes.NewReader(make([]byte, 4*16*32))}
	m := weights.Contents{
		Config: []byte(`{"model_type": "mine"}`), Tensors: map[string]weights.Tensor{"embedding": row, "mine": row}, Steps: [][]string{{"embedding"}, {"mine"}},
	}
	dst := filepath.Join(t.TempDir(), "mine.lever")
	if err := weights.Write(t.Context(), m, dst, weights.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	store, err := weights.Open(t.Context(), dst, weights.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ModelOf(store); !errors.Is(err, arch.ErrUnsupported) || !strings.Contains(err.Error(), "mine.lever") {
		t.Errorf("got %v", err)
	}
	p, err := Measure(t.Context(), Options{Target: store, Dir: filepath.Dir(dst), Duration: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if p.Target != nil || p.Flash.Best().BytesPerSecond <= 0 {
		t.Errorf("%+v", p)
	}
}
