// Package plural writes numbers of things in the words that all messages share: "1 pass", "2 passes".
package plural

import (
	"fmt"
	"strings"
)

// Of returns a number and the noun of what it counts, which is given as of one thing.
func Of[N int | int32 | int64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many(one))
}

func many(one string) string {
	stem, ofMatrix := strings.CutSuffix(one, "ix")
	switch {
	case ofMatrix:
		return stem + "ices"
	case strings.HasSuffix(one, "s") || strings.HasSuffix(one, "ch"):
		return one + "es"
	case strings.HasSuffix(one, "y"):
		return strings.TrimSuffix(one, "y") + "ies"
	}
	return one + "s"
}
