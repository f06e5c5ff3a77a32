package simulate

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/spec"
)

// smallTrace returns a trace of a few paths that no model was asked for.
func smallTrace() *trace {
	t := newTrace(traceHeader{
		Target: tracedModel{Name: "big", Hash: "a1", Vocab: 9, Context: 32, Kept: 1},
		Draft:  tracedModel{Name: "small", Hash: "b2", Vocab: 9, Context: 16, Kept: 2},
		Tokens: 4, WarmTokens: 3, Stop: []int32{8},
		Sets: []tracedSet{{"jokes", []tracedPrompt{{"jokes/0", []int32{1, 2}}}, []int32{3}}},
	}, spec.Options{})
	t.target.known[next(1, 5)] = outlook{[]int32{7}, []float32{0.1}, -3.25}
	t.draft.known[next(1, 5)] = outlook{[]int32{7, 0}, []float32{1, 1e-45}, -69}
	t.draft.known[next(next(1, 5), 7)] = outlook{[]int32{1, 2}, []float32{0.5, 0.25}, -3.3322045}
	return t
}

func lines(t testing.TB, tr *trace) string {
	t.Helper()
	var text bytes.Buffer
	if err := tr.write(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// gzipHeader is the number of bytes of which a few say nothing that matters.
const gzipHeader = 10

func TestTraceIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "small.trace")
	want := smallTrace()
	if err := want.save(path); err != nil {
		t.Fatal(err)
	}
	got, err := loadTrace(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.target.known, want.target.known) || !reflect.DeepEqual(got.draft.known, want.draft.known) || !reflect.DeepEqual(got.traceHeader, want.traceHeader) {
		t.Errorf("read %+v, wrote %+v", got, want)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(file); at += 7 {
		damaged := bytes.Clone(file)
		damaged[at] ^= 1
		for name, content := range map[string][]byte{"a bit of byte": damaged, "cut at byte": file[:at]} {
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := loadTrace(path)
			if err == nil && (at >= gzipHeader || !reflect.DeepEqual(got.draft.known, want.draft.known)) {
				t.Errorf("%s %d: no error", name, at)
			}
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("%s %d: the error does not name the file: %v", name, at, err)
			}
		}
	}
	if _, err := loadTrace(path + "s"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}

func TestForeignTracesAreRefused(t *testing.T) {
	for name, change := range map[string]struct{ from, to, want string }{
		"no trace":        {"lever trace", "lever store", "no trace"},
		"version":         {`"version":1`, `"version":2`, "version 2"},
		"no JSON":         {`{"format"`, `"format"`, "header"},
		"no prompts":      {`"prompts":[{"id":"jokes/0","tokens":[1,2]}]`, `"prompts":[]`, "header"},
		"token":           {`"tokens":[1,2]}]`, `"tokens":[1,9]}]`, "header"},
		"vocabulary":      {`"vocab":9`, `"vocab":900000000`, "header"},
		"negative":        {`"paths":1`, `"paths":-1`, "header"},
		"fewer paths":     {`"paths":2`, `"paths":3`, "line 5"},
		"more paths":      {`"paths":2`, `"paths":1`, "line 4"},
		"token of a path": {`"tokens":[7]`, `"tokens":[-7]`, "line 2"},
		"no probability":  {`"probs":[0.1]`, `"probs":[]`, "line 2"},
		"no state":        {`"path":"`, `"path":"x`, "line 2"},
	} {
		text := lines(t, smallTrace())
		if changed := strings.Replace(text, change.from, change.to, 1); changed == text {
			t.Errorf("%s: %q is not in\n%s", name, change.from, text)
		} else if _, err := readTrace(strings.NewReader(changed)); err == nil || !strings.Contains(err.Error(), change.want) {
			t.Errorf("%s: %v, want %q", name, err, change.want)
		}
	}
}

func TestOnlyTheSameIsExtended(t *testing.T) {
	same := smallTrace()
	same.draft.known = map[uint64]outlook{}
	if err := same.extend(smallTrace()); err != nil || len(same.draft.known) != 2 {
		t.Errorf("%v, %d paths", err, len(same.draft.known))
	}
	for want, change := range map[string]func(*traceHeader){
		"another model":    func(h *traceHeader) { h.Draft.Hash = "c3" },
		"tokens after":     func(h *traceHeader) { h.Draft.Kept = 3 },
		"answers":          func(h *traceHeader) { h.Tokens = 5 },
		"prompts":          func(h *traceHeader) { h.Sets[0].Prompts[0].Tokens = []int32{2, 1} },
		"1 of puns from":   func(h *traceHeader) { h.Sets[0].Name = "puns" },
		"prompts are oth":  func(h *traceHeader) { h.Stop = nil },
		"its prompts are ": func(h *traceHeader) { h.Sets[0].Warm = []int32{1} },
	} {
		other := smallTrace()
		change(&other.traceHeader)
		if err := smallTrace().extend(other); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// What a file holds is not asked again.
func TestRecordingGoesOn(t *testing.T) {
	pair, engine := openDemo(t)
	o := Options{
		Model: pair.Target, Draft: pair.Draft, Sets: bench.BuiltinSets()[:1], Prompts: 1, Tokens: 6, WarmTokens: 6,
		Record: filepath.Join(t.TempDir(), "pair.trace"),
	}
	h, err := Targets[0].on(Phones[0])
	if err != nil {
		t.Fatal(err)
	}
	record := func(name string) (asked int) {
		t.Helper()
		s := &simulation{Options: o}
		if s.pair, err = s.ask(t.Context(), engine); err != nil {
			t.Fatal(err)
		}
		if _, err := s.simulateOne(t.Context(), h, s.pair.Sets[0], named(name, 8), false); err != nil {
			t.Fatal(err)
		}
		if err := s.pair.save(o.Record); err != nil {
			t.Fatal(err)
		}
		return s.pair.draft.asked + s.pair.target.asked
	}
	if first, again, other, back := record("eagle2"), record("eagle2"), record("chain"), record("eagle2"); first == 0 || again != 0 || other > first || back != 0 {
		t.Errorf("%d paths were asked for, then %d, for another policy %d, and again %d", first, again, other, back)
	}
	o.Tokens++
	if _, err := (&simulation{Options: o}).ask(t.Context(), engine); err == nil || !strings.Contains(err.Error(), o.Record) {
		t.Errorf("longer answers: %v", err)
	}
	if _, err := Run(t.Context(), Options{Replay: o.Record, Tokens: 7}); err == nil {
		t.Error("a replay with a number of tokens: no error")
	}
}

func FuzzReadTrace(f *testing.F) {
	f.Add(lines(f, smallTrace()))
	f.Add(`{"format":"lever trace","version":1}` + "\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readTrace(strings.NewReader(text))
		if err != nil {
			return
		}
		again, err := readTrace(strings.NewReader(lines(t, got)))
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("read %+v, written and read again %+v, %v", got, again, err)
		}
	})
}
