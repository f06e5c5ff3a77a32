package lever_test

import (
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/lever-go/lever"

// mayImport says, for each package or folder of packages, which others of this module its packages may import: those named, and what is
// below a name that ends with /... . A folder's rule holds for what has no rule of its own. The root is called lever. Packages below
// internal may be imported wherever a rule here does not list what they are for.
var mayImport = []struct{ packages, imports string }{
	// Numbers, and the arithmetic on them.
	{"tensor", ""},
	{"tensor/ops", "tensor kernels"},
	{"tensor/gonummat", "tensor"},
	{"tensor/gorgoniadense", "tensor"},
	{"tensor/tensorfile", "tensor"},
	{"kernels", "tensor kernels/amd64 kernels/arm64 kernels/internal/table"},
	{"kernels/amd64/...", "tensor kernels/internal/table"},
	{"kernels/arm64/...", "tensor kernels/internal/table"},
	{"kernels/internal/table", "tensor"},
	{"kernels/npu", "tensor"},
	{"kernels/npu/...", "tensor kernels kernels/npu/..."},

	// Models, their files and their text.
	{"layers", "tensor kernels"},
	{"layers/joint", "layers"},
	{"weights", "tensor"},
	{"weights/convert", "arch tensor weights"},
	{"weights/importance", "arch tensor tensor/tensorfile kernels layers weights"},
	{"flashsim", "weights"},
	{"arch", "tensor kernels layers"},
	{"tokenizer", ""},
	{"grammar", ""},
	{"toolcall", "grammar tokenizer"},

	// The decode loop knows neither files nor devices.
	{"spec", "kernels spec/sampling"},
	{"spec/sampling", ""},
	{"spec/gaincost", "spec"},
	{"spec/baseline", "spec kernels"},
	{"spec/earlyexit", "spec spec/gaincost layers"},

	// The engine joins what is above; all else stands on it.
	{"lever", "arch tensor kernels kernels/npu kernels/npu/offload layers layers/joint weights weights/convert tokenizer grammar toolcall spec/..."},
	{"server/...", "lever grammar kernels spec tokenizer toolcall"},
	{"distill", "arch lever tensor tensor/ops tensor/gorgoniadense kernels layers weights tokenizer spec/..."},
	{"profile", "flashsim arch tensor kernels kernels/npu kernels/npu/offload layers weights spec/gaincost"},
	{"bench/...", "flashsim arch lever bench/... profile tensor kernels kernels/npu/... layers weights weights/importance tokenizer spec/..."},
	{"examples/...", "arch lever distill tensor kernels layers weights tokenizer toolcall spec/..."},
	{"cmd/lever", "flashsim arch lever server profile tensor kernels kernels/npu/... layers weights weights/convert weights/importance tokenizer spec/..."},
	{"cmd/lever-bench", "flashsim lever bench/... kernels tensor weights weights/convert"},
	{"cmd/lever-distill", "distill"},

	// What nobody else may import knows none of those that import it.
	{"internal/cli", "flashsim lever profile tensor kernels kernels/npu layers spec weights"},
	{"internal/clitest", ""},
	{"internal/demo", "weights"},
	{"internal/dryrun", "layers spec/..."},
	{"internal/kerneltest", "kernels"},
	{"internal/spectest", "spec spec/sampling"},
	{"internal/...", "tensor"},
}

// keepsOut names packages of others that must not be linked into a package, and why.
var keepsOut = []struct{ packages, prefix, because string }{
	{"cmd/lever", "gorgonia.org", "what trains predictors is a program of its own"},
	{"cmd/lever", "gonum.org", "what draws plots is a program of its own"},
	{"cmd/lever", module + "/bench", "experiments are a program of their own"},
	{"spec", module + "/kernels/npu", "speculation needs no device"},
	{"spec", module + "/layers", "speculation takes any model that has the methods"},
	{"lever", "gonum.org", "apps do not draw plots"},
	{"lever", "gorgonia.org", "apps do not train"},
}

// TestImports: imports point one way.
func TestImports(t *testing.T) {
	imports := moduleImports(t)
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		rule := slices.IndexFunc(mayImport, func(r struct{ packages, imports string }) bool { return covers(r.packages, pkg) })
		if rule < 0 {
			t.Errorf("no rule says what %s may import: give it one, and a reason to be in its package comment", pkg)
			continue
		}
		for _, imported := range imports[pkg] {
			if imported == "crypto/sha256" {
				t.Errorf("%s imports crypto/sha256; this module's is github.com/minio/sha256-simd", pkg)
			}
			own, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			own = strings.TrimPrefix(own, "/")
			if own == "" {
				own = "lever"
			}
			internal := strings.HasPrefix(own, "internal/") && !strings.HasPrefix(pkg, "examples/") // which readers copy into modules of their own
			allowed := internal || slices.ContainsFunc(strings.Fields(mayImport[rule].imports), func(p string) bool { return covers(p, own) })
			if !allowed {
				t.Errorf("%s imports %s, which is none of: %s", pkg, own, mayImport[rule].imports)
			}
		}
	}
}

// TestKeptOut: what programs do not need is not linked into them.
func TestKeptOut(t *testing.T) {
	for _, rule := range keepsOut {
		dir := filepath.FromSlash("./" + rule.packages)
		if rule.packages == "lever" {
			dir = "."
		}
		seen := map[string]bool{}
		var follow func(dir string, by []string)
		follow = func(dir string, by []string) {
			p, err := build.ImportDir(dir, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, imported := range p.Imports {
				if strings.HasPrefix(imported, rule.prefix) {
					t.Errorf("%s links %s, by way of %v: %s", rule.packages, imported, by, rule.because)
				}
				if own, ours := strings.CutPrefix(imported, module+"/"); ours && !seen[own] {
					seen[own] = true
					follow(filepath.FromSlash(own), append(slices.Clip(by), own))
				}
			}
		}
		follow(dir, nil)
	}
}

// covers reports whether a pattern of the tables means a package.
func covers(pattern, pkg string) bool {
	if folder, all := strings.CutSuffix(pattern, "/..."); all {
		return pkg == folder || strings.HasPrefix(pkg, folder+"/")
	}
	return pattern == pkg
}

// moduleImports returns what each package of the module imports, tests left out, on any system and with any tags.
func moduleImports(t *testing.T) map[string][]string {
	imports := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "testdata" || len(name) > 1 && strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(file))
		if pkg == "." {
			pkg = "lever"
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports[pkg] = append(imports[pkg], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}
