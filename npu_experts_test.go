package lever

import "testing"

// Experts are computed as often as some row is likely to choose one, of as many rows as are left for each.
func TestShareOfExperts(t *testing.T) {
	for _, c := range []struct {
		group    group
		rows     int
		computed float64
		of       int
	}{
		{group{}, 5, 1, 5},
		{group{experts: 8, chosen: 2}, 1, 2, 1},
		{group{experts: 8, chosen: 2}, 2, 3.5, 2},
		{group{experts: 8, chosen: 8}, 7, 8, 7},
		{group{experts: 128, chosen: 8}, 64, 125.94, 5},
	} {
		computed, of := c.group.share(c.rows)
		if d := computed - c.computed; d < -0.01 || d > 0.01 || of != c.of {
			t.Errorf("%+v, %d rows: %.2f times %d, want %.2f times %d", c.group, c.rows, computed, of, c.computed, c.of)
		}
	}
}
