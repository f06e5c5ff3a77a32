package cli

import "testing"

func TestByteSizeSet(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "17": 17, "2GiB": 2 << 30, "512 MiB": 512 << 20, "1.5GB": 1_500_000_000, "4k": 4096, "10B": 10, "1g": 1 << 30,
	} {
		var b ByteSize
		if err := b.Set(text); err != nil || int64(b) != want {
			t.Errorf("Set(%q) = %d, %v; want %d", text, b, err, want)
		}
	}
	for _, text := range []string{"", "GiB", "-1", "2 parsecs", "NaN", "inf", "1e30"} {
		var b ByteSize
		if err := b.Set(text); err == nil {
			t.Errorf("Set(%q) = %d, want an error", text, b)
		}
	}
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 30: "5.0 GiB"} {
		if got := FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}
