package flashsim

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/lever-go/lever/weights"
)

// Profile describes how fast a flash device reads. A [Throttle] makes other storage behave like that device.
//
// A reader that always keeps Depths[j] reads of Sizes[i] bytes under way gets BytesPerSecond[i][j] in the long run, Pauses not
// counted, which may fall with the depth. Each of its reads takes
//
//	Sizes[i]·Depths[j] / BytesPerSecond[i][j] − mean of Delays + a delay drawn from Delays
//
// seconds. Between the sizes and depths of the table this time is interpolated linearly; a smaller read takes as long as the smallest, and
// a larger one as many times longer than the largest as it is larger. More reads than the largest depth wait for their turn.
//
// As JSON it is one object with the format "lever-flash" and version 1; unknown keys are refused.
type Profile struct {
	Format      string `json:"format"`
	Version     int    `json:"version"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`

	Sizes          []int64     `json:"sizes"`            // of a read in bytes, ascending
	Depths         []int       `json:"depths"`           // reads under way at once, ascending from 1
	BytesPerSecond [][]float64 `json:"bytes_per_second"` // [len(Sizes)][len(Depths)], of all reads together
	Delays         []Delay     `json:"delays,omitempty"` // ascending from quantile 0 to 1; linear between; if empty, reads have no delay
	Pauses         *Pauses     `json:"pauses,omitempty"` // or nil

	// Sources says where the figures come from.
	Sources []Citation `json:"sources,omitempty"`
}

// Delay is a quantile of the time that a read takes longer than the fastest of its size and depth.
type Delay struct {
	Quantile float64 `json:"quantile"`
	Seconds  float64 `json:"seconds"`
}

// Pauses are times at which the device serves nobody, because it collects garbage. Their distance varies evenly between half
// and one and a half of the mean; time without reads does not count.
type Pauses struct {
	EverySeconds float64 `json:"every_seconds"` // mean, from the end of one to the start of the next
	Seconds      float64 `json:"seconds"`
}

// Citation is where a figure of a profile comes from.
type Citation struct {
	Figure string `json:"figure"`
	Source string `json:"source"`
}

// What Format and Version of a [Profile] say.
const (
	Format  = "lever-flash"
	Version = 1
)

const (
	maxFlashGrid    = 64      // sizes, depths and delays
	maxFlashDepth   = 1 << 10 // reads under way
	maxFlashSeconds = 3600    // of one read
	maxProfileBytes = 1 << 20 // of its JSON
)

//go:embed profiles/*.json
var builtIn embed.FS

// ProfileNames returns the names of the built-in profiles. Their sources say which figures are published and which are estimates.
func ProfileNames() []string {
	entries, _ := builtIn.ReadDir("profiles") // embedded, so always there
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	return names
}

// Load returns a built-in profile by its name, or else the profile in the file of that name.
func Load(nameOrFile string) (*Profile, error) {
	if text, err := builtIn.ReadFile("profiles/" + nameOrFile + ".json"); err == nil {
		return Parse(text)
	}
	f, err := os.Open(nameOrFile)
	if err != nil {
		return nil, fmt.Errorf("flashsim: profile: %w; built in are %s", err, strings.Join(ProfileNames(), ", "))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxProfileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("flashsim: profile: %w", err)
	}
	p, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, nameOrFile)
	}
	return p, nil
}

// Parse reads a profile from JSON and checks it. Errors wrap [weights.ErrVersion] or [weights.ErrCorrupt].
func Parse(text []byte) (*Profile, error) {
	if len(text) > maxProfileBytes {
		return nil, badFlash("more than %d bytes", maxProfileBytes)
	}
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, badFlash("%v", err)
	}
	if head.Format != Format {
		return nil, badFlash("format is %q, not %q", head.Format, Format)
	}
	if head.Version != Version {
		return nil, fmt.Errorf("flashsim: profile: version %d: %w: this program reads version %d", head.Version, weights.ErrVersion, Version)
	}
	var p Profile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, badFlash("%v", err)
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	return &p, nil
}

// Check reports what is wrong with the figures of p; the error wraps [weights.ErrCorrupt].
func (p *Profile) Check() error {
	if len(p.Sizes) == 0 || len(p.Depths) == 0 || len(p.BytesPerSecond) != len(p.Sizes) {
		return badFlash("%d rows of bandwidths for %d sizes and %d depths", len(p.BytesPerSecond), len(p.Sizes), len(p.Depths))
	}
	if len(p.Sizes) > maxFlashGrid || len(p.Depths) > maxFlashGrid || len(p.Delays) > maxFlashGrid {
		return badFlash("a table of more than %d entries", maxFlashGrid)
	}
	if p.Sizes[0] < 1 || p.Sizes[len(p.Sizes)-1] > math.MaxInt32 || !ascending(p.Sizes) {
		return badFlash("sizes %v are not ascending from at least 1", p.Sizes)
	}
	if p.Depths[0] != 1 || p.Depths[len(p.Depths)-1] > maxFlashDepth || !ascending(p.Depths) {
		return badFlash("depths %v are not ascending from 1", p.Depths)
	}
	if err := p.checkDelays(); err != nil {
		return err
	}
	if f := p.Pauses; f != nil && !(f.EverySeconds > 0 && f.Seconds > 0 && f.EverySeconds <= maxFlashSeconds && f.Seconds <= maxFlashSeconds) {
		return badFlash("pauses of %v s every %v s", f.Seconds, f.EverySeconds)
	}
	return p.checkBandwidths()
}

func ascending[T int | int64](x []T) bool {
	return slices.IsSorted(x) && len(slices.Compact(slices.Clone(x))) == len(x)
}

func (p *Profile) checkDelays() error {
	n := len(p.Delays)
	if n == 0 {
		return nil
	}
	if n < 2 || p.Delays[0].Quantile != 0 || p.Delays[n-1].Quantile != 1 {
		return badFlash("delays do not go from quantile 0 to 1")
	}
	before := Delay{Quantile: -1}
	for _, d := range p.Delays {
		if !(d.Quantile > before.Quantile && d.Seconds >= before.Seconds && d.Seconds <= maxFlashSeconds) {
			return badFlash("delay of %v s at quantile %v after %v s at %v", d.Seconds, d.Quantile, before.Seconds, before.Quantile)
		}
		before = d
	}
	return nil
}

// checkBandwidths checks what a Throttle rests on: another read under way or more bytes make no read faster, and the mean
// delay is only a part of any read.
func (p *Profile) checkBandwidths() error {
	mean := p.meanDelay()
	for i, row := range p.BytesPerSecond {
		if len(row) != len(p.Depths) {
			return badFlash("%d bandwidths of reads of %d bytes, for %d depths", len(row), p.Sizes[i], len(p.Depths))
		}
		for j, bandwidth := range row {
			at := p.seconds(i, j)
			switch {
			case !(bandwidth > 0 && at <= maxFlashSeconds):
				return badFlash("%v bytes per second for reads of %d bytes", bandwidth, p.Sizes[i])
			case at <= mean:
				return badFlash("reads of %d bytes at depth %d take %v s, no more than the mean delay of %v s", p.Sizes[i], p.Depths[j], at, mean)
			case i > 0 && at < p.seconds(i-1, j)*rounding:
				return badFlash("at depth %d a read of %d bytes is faster than one of %d", p.Depths[j], p.Sizes[i], p.Sizes[i-1])
			case j > 0 && at < p.seconds(i, j-1)*rounding:
				return badFlash("a read of %d bytes is faster at depth %d than at %d", p.Sizes[i], p.Depths[j], p.Depths[j-1])
			}
		}
	}
	return nil
}

// Slowed returns the profile of a device like p whose reads, delays and pauses all take factor times as long, so that a machine that computes
// slower by that factor than the device's own has the same balance of reading and computing. The factor is above 0; below 1 the device is faster.
func (p *Profile) Slowed(factor float64) (*Profile, error) {
	slow := *p
	slow.Name = fmt.Sprintf("%s, slowed %.3g times", p.Name, factor)
	slow.BytesPerSecond, slow.Delays = nil, slices.Clone(p.Delays)
	for _, row := range p.BytesPerSecond {
		row = slices.Clone(row)
		for i := range row {
			row[i] /= factor
		}
		slow.BytesPerSecond = append(slow.BytesPerSecond, row)
	}
	for i := range slow.Delays {
		slow.Delays[i].Seconds *= factor
	}
	if p.Pauses != nil {
		slow.Pauses = &Pauses{EverySeconds: factor * p.Pauses.EverySeconds, Seconds: factor * p.Pauses.Seconds}
	}
	return &slow, slow.Check()
}

// rounding allows for figures that were rounded to a few digits.
const rounding = 0.999

func badFlash(format string, args ...any) error {
	return fmt.Errorf("flashsim: profile: %w: %s", weights.ErrCorrupt, fmt.Sprintf(format, args...))
}

// meanDelay returns the mean of Delays.
func (p *Profile) meanDelay() float64 {
	mean := 0.0
	for i := 1; i < len(p.Delays); i++ {
		a, b := p.Delays[i-1], p.Delays[i]
		mean += (b.Quantile - a.Quantile) * (a.Seconds + b.Seconds) / 2
	}
	return mean
}

// delay returns the quantile q of Delays, q from 0 to 1.
func (p *Profile) delay(q float64) float64 {
	for i := 1; i < len(p.Delays); i++ {
		a, b := p.Delays[i-1], p.Delays[i]
		if q <= b.Quantile {
			return a.Seconds + (b.Seconds-a.Seconds)*(q-a.Quantile)/(b.Quantile-a.Quantile)
		}
	}
	return 0
}

// seconds returns the mean time of a read at a point of the table.
func (p *Profile) seconds(size, depth int) float64 {
	return float64(p.Sizes[size]) * float64(p.Depths[depth]) / p.BytesPerSecond[size][depth]
}

// readSeconds returns the mean time of a read of size bytes while depth are under way.
func (p *Profile) readSeconds(size float64, depth int) float64 {
	j, between := bracket(p.Depths, float64(depth))
	at := func(i int) float64 {
		a := p.seconds(i, j)
		if between == 0 {
			return a
		}
		return a + between*(p.seconds(i, j+1)-a)
	}
	largest := len(p.Sizes) - 1
	if size > float64(p.Sizes[largest]) {
		return at(largest) * size / float64(p.Sizes[largest])
	}
	i, part := bracket(p.Sizes, size)
	if part == 0 {
		return at(i)
	}
	a := at(i)
	return a + part*(at(i+1)-a)
}

// bracket returns the last index whose value is at most v, and how far v is on the way to the next: 0 at or before the first, and
// at or after the last.
func bracket[T int | int64](values []T, v float64) (i int, part float64) {
	for i+1 < len(values) && float64(values[i+1]) <= v {
		i++
	}
	if i+1 == len(values) || v <= float64(values[i]) {
		return i, 0
	}
	return i, (v - float64(values[i])) / float64(values[i+1]-values[i])
}
