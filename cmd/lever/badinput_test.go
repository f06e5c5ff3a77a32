package main

import (
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/internal/demo"
)

// tinyModel is a Hugging Face folder in the making: one block, all sizes 32, 288 tokens of which the tokenizer has 283.
type tinyModel struct {
	config  map[string]any
	tensors map[string]tinyTensor
}

type tinyTensor struct {
	Type    string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

func newTinyModel() *tinyModel {
	m := &tinyModel{
		config: map[string]any{
			"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "hidden_size": 32, "num_hidden_layers": 1,
			"num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 32, "intermediate_size": 32, "vocab_size": 288,
			"rms_norm_eps": 1e-5, "rope_theta": 10000, "max_position_embeddings": 64, "hidden_act": "silu", "tie_word_embeddings": true,
		},
		tensors: map[string]tinyTensor{},
	}
	at := 0
	add := func(name string, shape ...int) {
		size := 2
		for _, n := range shape {
			size *= n
		}
		m.tensors[name] = tinyTensor{"BF16", shape, [2]int{at, at + size}}
		at += size
	}
	add("model.embed_tokens.weight", 288, 32)
	add("model.norm.weight", 32)
	for _, name := range []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"} {
		add("model.layers.0."+name+".weight", 32, 32)
	}
	add("model.layers.0.input_layernorm.weight", 32)
	add("model.layers.0.post_attention_layernorm.weight", 32)
	return m
}

// size returns the bytes of all tensors.
func (m *tinyModel) size() (size int) {
	for _, tensor := range m.tensors {
		size = max(size, tensor.Offsets[1])
	}
	return size
}

// change edits one tensor's entry.
func (m *tinyModel) change(name string, edit func(*tinyTensor)) {
	tensor := m.tensors[name]
	edit(&tensor)
	m.tensors[name] = tensor
}

// write makes the folder and returns its path. The data part of the file has dataSize bytes.
func (m *tinyModel) write(t *testing.T, dataSize int) string {
	t.Helper()
	dir := t.TempDir()
	config, err := json.Marshal(m.config)
	if err != nil {
		t.Fatal(err)
	}
	header, err := json.Marshal(m.tensors)
	if err != nil {
		t.Fatal(err)
	}
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	file = append(append(file, header...), make([]byte, dataSize)...)
	writeFile(t, filepath.Join(dir, "config.json"), config)
	writeFile(t, filepath.Join(dir, "model.safetensors"), file)
	tokenizer, err := os.ReadFile("../../tokenizer/testdata/tiny/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "tokenizer.json"), tokenizer)
	return dir
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestConvertAcceptsTinyModel(t *testing.T) {
	m := newTinyModel()
	dst := filepath.Join(t.TempDir(), "tiny.lever")
	got := clitest.MustSucceed(t, "convert", m.write(t, m.size()), dst)
	if want := "try: lever run --model " + dst; !strings.Contains(got.Stderr, want) {
		t.Errorf("convert says %s, not %s", got.Stderr, want)
	}
	clitest.MustSucceed(t, "verify", dst)

	m.config["pard_token"] = 0
	got = clitest.MustSucceed(t, "convert", "--overwrite", m.write(t, m.size()), dst)
	if want := "lever run --model TARGET.lever --draft " + dst; !strings.Contains(got.Stderr, want) {
		t.Errorf("convert says of a parallel draft %s, not %s", got.Stderr, want)
	}
}

// What inspect says of a model is what the store made of it holds; and it writes nothing.
func TestInspectShowsWhatAModelWouldBecome(t *testing.T) {
	type described struct {
		Bytes  int64
		Types  []any
		Chunks []struct {
			File, SHA256    string
			Bytes, Segments int64
		}
		Tensors, Tokenizer []any
		Config             map[string]any
		Plan               any
	}
	show := func(args ...string) (d described) {
		got := clitest.MustSucceed(t, append(append([]string{"inspect"}, args...), "--json", "--dram", "1MiB")...)
		if err := json.Unmarshal([]byte(got.Stdout), &d); err != nil {
			t.Fatalf("%s: %v", got.Stdout, err)
		}
		for i := range d.Chunks {
			d.Chunks[i].SHA256 = ""
		}
		return d
	}
	m := newTinyModel()
	src, parent := m.write(t, m.size()), t.TempDir()
	types := []string{"--type", "f16", "--tensor-type", "block.*.down=q8_0", "--tensor-type", "block.0.v=q4_0"}
	before := show(append([]string{src}, types...)...)
	if len(before.Types) != 4 {
		t.Errorf("the types are %v, want f16, q8_0, q4_0 and f32", before.Types)
	}
	dst := filepath.Join(parent, "tiny.lever")
	clitest.MustSucceed(t, append([]string{"convert", src, dst}, types...)...)
	clitest.MustSucceed(t, "run", "--model", dst, "--raw", "--max-tokens", "2", "x")
	if after := show(dst); !reflect.DeepEqual(before, after) || len(before.Tensors) == 0 {
		t.Errorf("before it was written the store is\n%+v\nand afterwards\n%+v", before, after)
	}
	if text := clitest.MustSucceed(t, "inspect", src).Stdout; !strings.Contains(text, "'lever convert' would make") || !strings.Contains(text, "max_position_embeddings") {
		t.Errorf("it prints %s", text)
	}
	m.config["hidden_act"] = "relu"
	if got := clitest.Execute(t, "inspect", m.write(t, m.size())); got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, "relu") {
		t.Errorf("a model that can't be run: status %d, %s%s", got.Status, got.Stdout, got.Stderr)
	}
	if got := clitest.Execute(t, "inspect", dst, "--type", "q4_0"); got.Status != cli.ExitUsage || !strings.Contains(got.Stderr, "--type") {
		t.Errorf("a store with a type: status %d, %s", got.Status, got.Stderr)
	}
}

// What can't be converted is refused by convert and by run in the same words, and nothing is left of it, in the cache of run neither.
func TestConvertRefusesBadModels(t *testing.T) {
	const q = "model.layers.0.self_attn.q_proj.weight"
	folder := func(edit func(*tinyModel)) func(*testing.T) string {
		return func(t *testing.T) string {
			m := newTinyModel()
			size := m.size()
			edit(m)
			return m.write(t, size)
		}
	}
	header := func(content string) func(*testing.T) string {
		return func(t *testing.T) string {
			m := newTinyModel()
			dir := m.write(t, m.size())
			writeFile(t, filepath.Join(dir, "model.safetensors"), []byte(content))
			return dir
		}
	}
	file := func(content string) func(*testing.T) string {
		return func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "model.gguf")
			writeFile(t, path, []byte(content))
			return path
		}
	}
	for name, test := range map[string]struct {
		source func(*testing.T) string
		says   []string
	}{
		"truncated header": {header("\xff\x10\x00\x00\x00\x00\x00\x00{\"a\""), []string{"model.safetensors", "header"}},
		"empty file":       {header(""), []string{"model.safetensors"}},
		"truncated data":   {func(t *testing.T) string { m := newTinyModel(); return m.write(t, m.size()-100) }, []string{"model.safetensors"}},
		"offsets outside":  {folder(func(m *tinyModel) { m.change(q, func(e *tinyTensor) { e.Offsets = [2]int{1 << 30, 1<<30 + 2048} }) }), []string{"model.safetensors", q}},
		"overlapping":      {folder(func(m *tinyModel) { m.change(q, func(e *tinyTensor) { e.Offsets = [2]int{0, 2048} }) }), []string{"model.safetensors", "overlap"}},
		"missing tensor":   {folder(func(m *tinyModel) { delete(m.tensors, q) }), []string{q}},
		"wrong shape":      {folder(func(m *tinyModel) { m.change(q, func(e *tinyTensor) { e.Shape = []int{16, 64} }) }), []string{q, "16", "64"}},
		"unknown type":     {folder(func(m *tinyModel) { m.change(q, func(e *tinyTensor) { e.Type = "C64" }) }), []string{q, "C64"}},
		"unknown architecture": {folder(func(m *tinyModel) {
			m.config["architectures"] = []string{"MambaForCausalLM"}
			m.config["model_type"] = "mamba"
		}), []string{"config.json", "amba"}},
		"activation": {folder(func(m *tinyModel) { m.config["hidden_act"] = "gelu" }), []string{"config.json", "gelu"}},
		"no tokenizer": {func(t *testing.T) string {
			m := newTinyModel()
			dir := m.write(t, m.size())
			if err := os.Remove(filepath.Join(dir, "tokenizer.json")); err != nil {
				t.Fatal(err)
			}
			return dir
		}, []string{"no tokenizer.json", "beside its weights"}},
		"tokenizer of another kind": {func(t *testing.T) string {
			m := newTinyModel()
			dir := m.write(t, m.size())
			writeFile(t, filepath.Join(dir, "tokenizer.json"), []byte(`{"model":{"type":"WordPiece","vocab":{}}}`))
			return dir
		}, []string{"tokenizer.json", "WordPiece"}},
		"no such source": {func(t *testing.T) string { return filepath.Join(t.TempDir(), "gone") }, []string{"gone"}},
		"part of a model": {func(t *testing.T) string {
			m := newTinyModel()
			return filepath.Join(m.write(t, m.size()), "model.safetensors")
		}, []string{"model.safetensors", "folder"}},
		"not a GGUF": {file("GIF89a and so on, for a while"), []string{"model.gguf"}},
		"cut GGUF":   {file("GGUF\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00"), []string{"model.gguf"}},
	} {
		t.Run(name, func(t *testing.T) {
			parent, cache, src := t.TempDir(), t.TempDir(), test.source(t)
			run := clitest.Program(t, "run", "--model", src, "--raw", "x")
			run.Env = append(run.Env, "LEVER_CACHE="+cache)
			for _, cmd := range []*exec.Cmd{clitest.Program(t, "convert", src, filepath.Join(parent, "model.lever")), run} {
				got := clitest.Finish(t, cmd)
				if got.Status != cli.ExitFailure || got.Stdout != "" {
					t.Errorf("%s: status %d, want %d; output %q", cmd.Args, got.Status, cli.ExitFailure, got.Stdout)
				}
				for _, word := range test.says {
					if !strings.Contains(got.Stderr, word) {
						t.Errorf("%s: standard error lacks %q: %s", cmd.Args, word, got.Stderr)
					}
				}
			}
			checkNoFiles(t, parent)
			checkNoFiles(t, cache)
		})
	}
}

// checkNoFiles fails if there is something other than folders in a folder or below it.
func checkNoFiles(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && (!entry.IsDir() || strings.Contains(entry.Name(), ".lever")) {
			t.Errorf("%s was left behind", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// An empty name of a model, as of a shell variable that is not set, is not the demo.
func TestEmptyModel(t *testing.T) {
	for _, flag := range []string{"--model", "--draft"} {
		got := clitest.Execute(t, "run", flag, "", "hi")
		if got.Status != cli.ExitUsage || !strings.Contains(got.Stderr, flag) || got.Stdout != "" {
			t.Errorf("%s: status %d, output %q, standard error %q", flag, got.Status, got.Stdout, got.Stderr)
		}
	}
}

func TestConvertUsage(t *testing.T) {
	m := newTinyModel()
	src := m.write(t, m.size())
	existing := filepath.Join(t.TempDir(), "old.lever")
	clitest.MustSucceed(t, "convert", src, existing)
	for name, test := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"one argument":    {[]string{src}, cli.ExitUsage, "it got 1"},
		"wrong extension": {[]string{src, "model.bin"}, cli.ExitUsage, ".lever"},
		"unknown type":    {[]string{src, "model.lever", "--type", "q2_0"}, cli.ExitUsage, "q2_0"},
		"exists":          {[]string{src, existing}, cli.ExitFailure, "--overwrite"},
	} {
		t.Run(name, func(t *testing.T) {
			got := clitest.Execute(t, append([]string{"convert"}, test.args...)...)
			if got.Status != test.status || !strings.Contains(got.Stderr, test.says) {
				t.Errorf("status %d, want %d; standard error %q", got.Status, test.status, got.Stderr)
			}
		})
	}
	clitest.MustSucceed(t, "verify", existing)
	clitest.MustSucceed(t, "convert", src, existing, "--overwrite", "--type", "f16")
	clitest.MustSucceed(t, "verify", existing)
}

// A store that is damaged in any way is refused by run and verify with an error that names the file.
func TestDamagedStoreIsRefused(t *testing.T) {
	const chunk = "chunks/0003.bin"
	edit := func(name string, change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, store string) {
			path := filepath.Join(store, name)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, path, change(content))
		}
	}
	for name, test := range map[string]struct {
		damage func(*testing.T, string)
		says   []string
	}{
		"flipped byte":    {edit(chunk, func(b []byte) []byte { b[len(b)/2] ^= 4; return b }), []string{"0003.bin", "corrupt"}},
		"truncated chunk": {edit(chunk, func(b []byte) []byte { return b[:len(b)-1] }), []string{"0003.bin", "truncated"}},
		"missing chunk": {func(t *testing.T, store string) {
			if err := os.Remove(filepath.Join(store, chunk)); err != nil {
				t.Fatal(err)
			}
		}, []string{"0003.bin"}},
		"future version": {edit("lever.json", func(b []byte) []byte {
			var manifest map[string]any
			if err := json.Unmarshal(b, &manifest); err != nil {
				t.Fatal(err)
			}
			manifest["version"] = 999
			b, _ = json.Marshal(manifest)
			return b
		}), []string{"lever.json", "999", "another version"}},
		"cut manifest":      {edit("lever.json", func(b []byte) []byte { return b[:len(b)/2] }), []string{"lever.json", "copy it again"}},
		"changed tokenizer": {edit("tokenizer.json", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), []string{"tokenizer.json", "copy it again"}},
	} {
		t.Run(name, func(t *testing.T) {
			pair, err := demo.Unpack(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			test.damage(t, pair.Target)
			for _, args := range [][]string{
				{"run", "--model", pair.Target, ducks}, {"run", "--model", pair.Target, "--dram", "8MiB", ducks}, {"verify", pair.Target},
			} {
				got := clitest.Execute(t, args...)
				if got.Status != cli.ExitFailure || got.Stdout != "" {
					t.Errorf("%s: status %d, output %q", args, got.Status, got.Stdout)
				}
				for _, word := range test.says {
					if !strings.Contains(strings.ToLower(got.Stderr), word) {
						t.Errorf("%s: standard error lacks %q: %s", args, word, got.Stderr)
					}
				}
			}
		})
	}
}

func TestDraftWithOtherVocabularyIsRefused(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := newTinyModel()
	draft := filepath.Join(t.TempDir(), "other.lever")
	clitest.MustSucceed(t, "convert", m.write(t, m.size()), draft)
	got := clitest.Execute(t, "run", "--model", pair.Target, "--draft", draft, ducks)
	if got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, "other.lever does not fit") || got.Stdout != "" {
		t.Errorf("status %d, output %q, standard error %q", got.Status, got.Stdout, got.Stderr)
	}
}

func TestInterruptedConversionLeavesNothing(t *testing.T) {
	src := sharedModel(t, "lever-tiny-llama/target")
	for _, delay := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond} {
		parent := t.TempDir()
		dst := filepath.Join(parent, "model.lever")
		cmd := clitest.Program(t, "convert", src, dst)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(delay)
		cmd.Process.Signal(os.Interrupt)
		if cmd.Wait() == nil {
			continue // it was faster
		}
		if cmd.ProcessState.ExitCode() == -1 {
			checkNoStore(t, dst) // killed before it could listen for interrupts
			continue
		}
		checkNoFiles(t, parent)
	}
}

func checkNoStore(t *testing.T, path string) {
	t.Helper()
	if got := clitest.Execute(t, "inspect", path); got.Status == 0 {
		t.Errorf("an interrupted conversion left a store that opens: %s", got.Stdout)
	}
}

func TestFullDiskLeavesNothing(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("skipped: needs root on Linux to mount a small file system")
	}
	src := sharedModel(t, "lever-tiny-llama/target")
	disk := t.TempDir()
	if output, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("skipped: can't mount a small file system: %v: %s", err, output)
	}
	t.Cleanup(func() { exec.Command("umount", disk).Run() })
	got := clitest.Execute(t, "convert", src, filepath.Join(disk, "model.lever"))
	if got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, "no space") {
		t.Errorf("status %d, standard error %q", got.Status, got.Stderr)
	}
	checkNoFiles(t, disk)
}

// What people get wrong first: the message names what they gave and says what to do next.
func TestCommonMistakesSayTheNextStep(t *testing.T) {
	cache := t.TempDir()
	pair, err := demo.Unpack(t.Context(), cache)
	if err != nil {
		t.Fatal(err)
	}
	empty, file := t.TempDir(), filepath.Join(t.TempDir(), "notes.txt")
	writeFile(t, file, []byte("remember the milk, and the eggs, and whatever else there was"))
	cut := filepath.Join(t.TempDir(), "cut.lever")
	if err := os.CopyFS(cut, os.DirFS(pair.Target)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(cut, "chunks/0002.bin"), 4096); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		says   []string
	}{
		"no prompt":                {[]string{"run"}, cli.ExitUsage, []string{"one prompt, in quotes"}},
		"empty prompt":             {[]string{"run", ""}, cli.ExitFailure, []string{"prompt is empty"}},
		"no such model":            {[]string{"run", "--model", "gone.lever", ducks}, cli.ExitFailure, []string{"gone.lever", "a store, a Hugging Face folder or a GGUF file"}},
		"no such draft":            {[]string{"run", "--draft", "gone.lever", ducks}, cli.ExitFailure, []string{"gone.lever", "a store, a Hugging Face folder or a GGUF file"}},
		"a repository":             {[]string{"run", "--model", "Qwen/Qwen3-8B", ducks}, cli.ExitFailure, []string{"lever pull Qwen/Qwen3-8B"}},
		"a path like a repository": {[]string{"run", "--model", "models/q.gguf", ducks}, cli.ExitFailure, []string{"there is no model models/q.gguf; give a store"}},
		"an empty folder":          {[]string{"run", "--model", empty, ducks}, cli.ExitFailure, []string{empty, "neither a store nor a Hugging Face folder"}},
		"the folder above":         {[]string{"run", "--model", filepath.Dir(pair.Target), ducks}, cli.ExitFailure, []string{"perhaps", "is meant"}},
		"the folder below":         {[]string{"run", "--model", filepath.Join(pair.Target, "chunks"), ducks}, cli.ExitFailure, []string{"a part of one"}},
		"another file":             {[]string{"run", "--model", file, ducks}, cli.ExitFailure, []string{"notes.txt", "GGUF"}},
		"inspect a file":           {[]string{"inspect", file}, cli.ExitFailure, []string{"notes.txt", "a folder that a model was converted into"}},
		"misspelt policy":          {[]string{"run", "--policy", "chian", ducks}, cli.ExitUsage, []string{"chian", "choose from lever, chain"}},
		"chain but no draft":       {[]string{"run", "--model", pair.Target, "--policy", "chain", ducks}, cli.ExitUsage, []string{"--draft"}},
		"pard with any draft":      {[]string{"run", "--policy", "pard", ducks}, cli.ExitFailure, []string{"policy pard", "draft.lever", "names no mask token", "--draft-mask-token", "such as chain"}},
		"a mask but no draft":      {[]string{"run", "--model", pair.Target, "--draft-mask-token", "0", ducks}, cli.ExitUsage, []string{"--draft-mask-token", "--draft"}},
		"no mask":                  {[]string{"run", "--draft-mask-token", "-1", ducks}, cli.ExitUsage, []string{"-1", "not the id of a token"}},
		"a mask far out":           {[]string{"run", "--draft-mask-token", "4096", ducks}, cli.ExitFailure, []string{"draft", "mask token 4096", "4096 tokens"}},
		"too little memory":        {[]string{"run", "--dram", "1MiB", ducks}, cli.ExitFailure, []string{"--dram 1.0 MiB is too little for target.lever", "the least is "}},
		"not a size":               {[]string{"run", "--dram", "lots", ducks}, cli.ExitUsage, []string{"lots", "2GiB"}},
		"a cut store":              {[]string{"run", "--model", cut, ducks}, cli.ExitFailure, []string{"0002.bin", "truncated", "convert", "lever verify"}},
		"a long prompt":            {[]string{"run", "--context", "4", ducks}, cli.ExitFailure, []string{"longer than the context", "--context"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := clitest.Execute(t, test.args...)
			if got.Status != test.status || got.Stdout != "" {
				t.Errorf("status %d, want %d; output %q", got.Status, test.status, got.Stdout)
			}
			for _, word := range test.says {
				if !strings.Contains(got.Stderr, word) {
					t.Errorf("standard error lacks %q: %s", word, got.Stderr)
				}
			}
		})
	}
}

func TestUnusableCacheSaysHowToNameAnother(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cache")
	writeFile(t, file, nil)
	cmd := clitest.Program(t, "run", ducks)
	cmd.Env = append(cmd.Env, "LEVER_CACHE="+file)
	if got := clitest.Finish(t, cmd); got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, "LEVER_CACHE") {
		t.Errorf("status %d, standard error %q", got.Status, got.Stderr)
	}
}
