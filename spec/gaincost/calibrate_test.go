package gaincost

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestCalibrationStartsFromTheSource(t *testing.T) {
	var c Calibration
	for p := float32(0); p <= 1; p += 1.0 / 64 {
		if got := c.At(p, 3, 7); math.Abs(got-float64(p)) > 1e-9 {
			t.Errorf("%v without any count, for %v", got, p)
		}
	}
}

// Whatever was counted, estimates are probabilities, and rise with the source's.
func TestCalibrationRises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Calibration
		for range rapid.IntRange(0, 60).Draw(t, "counts") {
			c.Count(rapid.Float32Range(0, 1).Draw(t, "prob"), rapid.IntRange(0, classes-1).Draw(t, "class"),
				rapid.IntRange(1, 9).Draw(t, "depth"), rapid.Bool().Draw(t, "hit"))
			if rapid.IntRange(0, 9).Draw(t, "fade") == 0 {
				c.Fade()
			}
		}
		for class := range classes {
			for depth := 1; depth < 8; depth++ {
				before := 0.0
				for p := float32(0); p <= 1; p += 1.0 / 32 {
					got := c.At(p, class, depth)
					if !(got >= before-1e-12 && got <= 1) {
						t.Fatalf("%v for %v, after %v", got, p, before)
					}
					before = got
				}
			}
		}
	})
}

// An overconfident draft is found out, by class and depth, from a few hundred candidates; and when the text changes, the
// estimates follow.
func TestCalibrationFollows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var c Calibration
	run := func(passes int, truth func(p float64, class, depth int) float64) (off float64) {
		trials := 0.0
		for pass := range passes {
			for depth := 1; depth <= 3; depth++ {
				for class := range 3 {
					p := random.Float64()
					right := truth(p, class, depth)
					if pass > passes/2 {
						off += math.Abs(c.At(float32(p), class, depth) - right)
						trials++
					}
					c.Count(float32(p), class, depth, random.Float64() < right)
				}
			}
			c.Fade()
		}
		return off / trials
	}
	for _, truth := range []struct {
		name string
		of   func(p float64, class, depth int) float64
		off  float64
	}{
		{"over", func(p float64, class, _ int) float64 { return p * p / float64(1+class) }, 0.06},
		{"under", func(p float64, _, depth int) float64 { return math.Sqrt(p) / float64(depth) }, 0.12},
		{"over again", func(p float64, class, _ int) float64 { return p * p / float64(1+class) }, 0.06},
	} {
		off := run(400, truth.of)
		if off > truth.off {
			t.Errorf("%s: estimates are off by %.3f on average", truth.name, off)
		}
		t.Logf("%s: off by %.3f on average", truth.name, off)
	}
}

// A few trials move an estimate a little only.
func TestCalibrationShrinks(t *testing.T) {
	var c Calibration
	for range 2 {
		c.Count(0.5, 0, 1, false)
	}
	if got := c.At(0.5, 0, 1); got < 0.2 || got > 0.45 {
		t.Errorf("%v after two misses at 0.5", got)
	}
	for range 200 {
		c.Count(0.5, 0, 1, false)
	}
	if got := c.At(0.5, 0, 1); got > 0.03 {
		t.Errorf("%v after two hundred misses at 0.5", got)
	}
	if got := c.At(0.99, 0, 1); got < 0.3 {
		t.Errorf("%v at 0.99, of which nothing was counted", got)
	}
	for range 10_000 {
		c.Fade()
	}
	if got := c.At(0.5, 0, 1); math.Abs(got-0.5) > 0.01 {
		t.Errorf("%v at 0.5 when all counts have faded", got)
	}
}

func TestCalibrationJSON(t *testing.T) {
	var c, d Calibration
	for i := range 200 {
		c.Count(float32(i%17)/16, i%classes, i%7+1, i%3 == 0)
		c.Fade()
	}
	data, err := json.Marshal(&c)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		p := float32(i) / 99
		if a, b := c.At(p, i%classes, i%7+1), d.At(p, i%classes, i%7+1); a != b {
			t.Fatalf("%v before, %v after", a, b)
		}
	}
	for _, bad := range []string{`[]`, `{"ByProb":[{"Trials":1,"Hits":2}]}`, `{"ByClass":[[{"Trials":-1}]]}`, `{"Weight":-1}`} {
		if err := json.Unmarshal([]byte(bad), &d); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func FuzzCalibration(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 250, 0, 9, 200})
	f.Add([]byte("hits and misses of all kinds"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		var c Calibration
		for i, b := range steps {
			prob, class, depth := float32(b)/255, int(b)%classes, i%9
			if b%5 == 0 {
				c.Fade()
			}
			c.Count(prob, class, depth, b%3 == 0)
			if got := c.At(prob, class, depth); !(got >= 0 && got <= 1) {
				t.Fatalf("%v for %v", got, prob)
			}
		}
	})
}

func BenchmarkCalibration(b *testing.B) {
	var c Calibration
	b.Run("at", func(b *testing.B) {
		i := 0
		for b.Loop() {
			c.At(float32(i%101)/100, i%classes, 2)
			i++
		}
	})
	b.Run("pass", func(b *testing.B) { // three accepted nodes with eight candidates each
		for b.Loop() {
			for i := range 24 {
				c.Count(float32(i)/24, i%4, i/8+1, i%8 == 0)
			}
			c.Fade()
			c.At(0.5, 0, 1)
		}
	})
}

func ExampleCalibration() {
	var c Calibration
	fmt.Printf("%.2f\n", c.At(0.9, 0, 1)) // nothing is known: as the draft says
	for i := range 100 {
		c.Count(0.9, 0, 1, i%2 == 0) // but it is right half of the time
	}
	fmt.Printf("%.2f\n", c.At(0.9, 0, 1))
	// Output:
	// 0.90
	// 0.50
}
