package kernels

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/lever-go/lever/kernels/internal/table"
)

// EnvVar is the environment variable that names the default kernel set, for bug reports and comparisons.
const EnvVar = "LEVER_KERNELS"

// Set is one implementation of all operations. Its methods run on the caller's goroutine and are safe for concurrent use on
// distinct memory. A [Pool] holds the set that [MatMul] and [MatMulF32] use.
type Set struct{ k table.Kernels }

var (
	registry           = buildRegistry(archSets())
	defaultSet, envErr = chooseDefault(os.Getenv(EnvVar))
)

// buildRegistry lines the sets up from the definition to the fastest and lets each inherit what it lacks.
func buildRegistry(arch []table.Kernels) []*Set {
	var sets []*Set
	for _, k := range append([]table.Kernels{refSet, goSet}, arch...) {
		if len(sets) > 0 {
			inherit(&k, sets[len(sets)-1].k)
		}
		sets = append(sets, &Set{k})
	}
	return sets
}

// inherit fills the entries and formats that a set lacks with those of the set before it.
func inherit(k *table.Kernels, base table.Kernels) {
	own := k.MatMul
	k.MatMul = joined(base.MatMul, k.MatMul)
	k.Unpack = joined(base.Unpack, k.Unpack)
	k.MatMulUnpacked = joined(base.MatMulUnpacked, k.MatMulUnpacked)
	k.Dequantize = joined(base.Dequantize, k.Dequantize)
	to, from := reflect.ValueOf(k).Elem(), reflect.ValueOf(base)
	for f := range to.NumField() {
		if to.Field(f).Kind() != reflect.Bool && to.Field(f).IsZero() {
			to.Field(f).Set(from.Field(f))
		}
	}
	for d, unpack := range k.Unpack {
		if _, direct := own[d]; !direct {
			product := k.MatMulUnpacked[unpack.Layout]
			product.Unpack = unpack
			k.MatMul[d] = product
		}
	}
}

// joined returns what is in base, and in over in place of that.
func joined[K comparable, V any](base, over map[K]V) map[K]V {
	all := make(map[K]V, len(base)+len(over))
	maps.Copy(all, base)
	maps.Copy(all, over)
	return all
}

// chooseDefault returns the named set, or the last one that need not be asked for when none is named or there is none of that name.
func chooseDefault(name string) (*Set, error) {
	fastest := len(registry) - 1
	for registry[fastest].k.ByName {
		fastest--
	}
	if name == "" {
		return registry[fastest], nil
	}
	set, err := Named(name)
	if err != nil {
		return registry[fastest], fmt.Errorf("%w (from %s)", err, EnvVar)
	}
	return set, nil
}

// Sets returns the names of the kernel sets that this build and this processor have, the definition first, then from the
// slowest to the fastest.
func Sets() []string {
	names := make([]string, len(registry))
	for i, s := range registry {
		names[i] = s.Name()
	}
	return names
}

// Named returns the kernel set of this name. An error means that there is none here.
func Named(name string) (*Set, error) {
	i := slices.IndexFunc(registry, func(s *Set) bool { return s.Name() == name })
	if i < 0 {
		return nil, fmt.Errorf("kernels: no kernel set %q on this processor (choose from %s)", name, strings.Join(Sets(), ", "))
	}
	return registry[i], nil
}

// Default returns the set that LEVER_KERNELS names, or else the fastest one.
func Default() *Set { return defaultSet }

// Name returns the name of the set, one of those that [Sets] lists.
func (s *Set) Name() string { return s.k.Name }

// EnvError returns what was wrong with LEVER_KERNELS at start-up, when the fastest set became the default instead, else nil. A
// program reports it.
func EnvError() error { return envErr }
