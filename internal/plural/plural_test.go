package plural

import "testing"

func TestOf(t *testing.T) {
	for _, c := range []struct {
		n         int
		one, want string
	}{
		{0, "token", "0 tokens"}, {1, "token", "1 token"}, {2, "token", "2 tokens"}, {-1, "token", "-1 tokens"},
		{1, "pass", "1 pass"}, {3, "pass", "3 passes"}, {2, "matrix", "2 matrices"}, {2, "batch", "2 batches"}, {2, "entry", "2 entries"},
		{5, "prompt token", "5 prompt tokens"},
	} {
		if got := Of(c.n, c.one); got != c.want {
			t.Errorf("%d %s: %q, want %q", c.n, c.one, got, c.want)
		}
	}
}
