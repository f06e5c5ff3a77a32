package kernels

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/lever-go/lever/kernels/internal/table"
)

// EnvVar is the environment variable that forces a kernel set, for bug reports and comparisons.
const EnvVar = "LEVER_KERNELS"

var (
	registry = buildRegistry(archSets())
	active   = fastest(registry)
	envErr   = selectFromEnv(os.Getenv(EnvVar))
)

// buildRegistry lines the sets up from the definition to the fastest and lets each inherit what it lacks.
func buildRegistry(arch []table.Kernels) []table.Kernels {
	sets := append([]table.Kernels{refSet, goSet}, arch...)
	for i := 1; i < len(sets); i++ {
		set, base := reflect.ValueOf(&sets[i]).Elem(), reflect.ValueOf(&sets[i-1]).Elem()
		for f := range set.NumField() {
			if set.Field(f).Kind() != reflect.Bool && set.Field(f).IsZero() {
				set.Field(f).Set(base.Field(f))
			}
		}
	}
	return sets
}

// fastest returns the last set that need not be asked for.
func fastest(sets []table.Kernels) *table.Kernels {
	i := len(sets) - 1
	for sets[i].ByName {
		i--
	}
	return &sets[i]
}

func selectFromEnv(name string) error {
	if name == "" {
		return nil
	}
	if err := Select(name); err != nil {
		return fmt.Errorf("%w (from %s)", err, EnvVar)
	}
	return nil
}

// Sets returns the names of the kernel sets that this build and this processor have, the definition first, then from the
// slowest to the fastest.
func Sets() []string {
	names := make([]string, len(registry))
	for i, s := range registry {
		names[i] = s.Name
	}
	return names
}

// Features returns the name of the kernel set in use.
func Features() string { return active.Name }

// Select puts the kernel set of this name in use. An error means that there is none here, and changes nothing. It must not
// be called while kernels run; inputs quantised before must be Reset.
func Select(name string) error {
	i := slices.IndexFunc(registry, func(s table.Kernels) bool { return s.Name == name })
	if i < 0 {
		return fmt.Errorf("kernels: no kernel set %q on this processor (choose from %s)", name, strings.Join(Sets(), ", "))
	}
	active = &registry[i]
	return nil
}

// EnvError returns what was wrong with LEVER_KERNELS at start-up, when the fastest set was taken instead, else nil. A
// program reports it.
func EnvError() error { return envErr }
