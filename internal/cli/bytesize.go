package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ByteSize is a flag value such as 2GiB, 512MiB, 1.5GB or a plain number of bytes.
type ByteSize int64

var byteUnits = []struct {
	suffix string
	bytes  float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40},
	{"b", 1},
}

func (b *ByteSize) Set(text string) error {
	digits, unit := strings.ToLower(strings.TrimSpace(text)), 1.0
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(digits, u.suffix); ok {
			digits, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	number, err := strconv.ParseFloat(digits, 64)
	size := number * unit
	if err != nil || !(size >= 0 && size < math.MaxInt64) {
		return fmt.Errorf("%q is not a size; write for example 2GiB or 512MiB", text)
	}
	*b = ByteSize(size)
	return nil
}

func (b *ByteSize) String() string {
	if *b == 0 {
		return ""
	}
	return FormatBytes(int64(*b))
}

func (b *ByteSize) Type() string { return "size" }

// FormatBytes writes n with the largest binary unit that leaves at least 1.
func FormatBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(n), 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
