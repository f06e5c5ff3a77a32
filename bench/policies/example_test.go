package policies_test

import (
	"fmt"

	"github.com/lever-go/lever/bench/policies"
)

func ExampleVariants() {
	for _, c := range policies.Variants(64, true) {
		fmt.Printf("%s: %d\n", c.Name, c.Budget)
	}
	// Output:
	// none: 1
	// chain 2: 2
	// chain 4: 4
	// chain 8: 8
	// chain 16: 16
	// specinfer: 64
	// sequoia: 64
	// opttree: 64
	// eagle2: 64
	// powerserve: 64
	// pard: 64
	// ngram: 64
	// lever: 64
}
