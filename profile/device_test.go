package profile

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lever-go/lever/internal/host"
)

func TestTryOpen(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "node")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if a := tryOpen(file, "a file"); a != (Access{Name: file, What: "a file"}) {
		t.Errorf("%+v", a)
	}
	if a := tryOpen(filepath.Join(dir, "none"), ""); !a.Absent || a.Refusal != "" {
		t.Errorf("%+v", a)
	}
	if a := tryOpen(dir, ""); a.Absent || a.Refusal == "" {
		t.Errorf("%+v", a)
	}
}

func TestExamine(t *testing.T) {
	d := Examine()
	if len(d.Drivers) != len(deviceFiles) || len(d.KernelSets) == 0 || d.check() != nil {
		t.Errorf("%+v", d)
	}
}

// Answers follow one another until the time is over, however long they take.
func TestDecode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers, reported := 0, int64(0)
		d, err := Decode(t.Context(), 9900*time.Millisecond, func(ctx context.Context, add func(int)) error {
			answers++
			for i := range 8 {
				time.Sleep(250 * time.Millisecond)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				add(1 + i%2)
			}
			return nil
		}, func(done, total int64) {
			if done < reported || total != 9 {
				t.Errorf("%d of %d s", done, total)
			}
			reported = done
		})
		if err != nil {
			t.Fatal(err)
		}
		if answers != 5 || d.Tokens != 58 || d.Seconds != 10 || len(d.Samples) != 11 || reported != 9 {
			t.Errorf("%d answers, %d s reported, %+v", answers, reported, d)
		}
		if all, first, last := d.Rate(); math.Abs(all-6) > 0.5 || math.Abs(first-6) > 1 || math.Abs(last-6) > 1 {
			t.Errorf("%v, %v, %v tokens/s", all, first, last)
		}
		if err := (&Device{Decoding: d}).check(); err != nil {
			t.Error(err)
		}
	})
}

func TestDecodeFails(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		generate func(context.Context, func(int)) error
		want     error
	}{
		"an error":       {func(context.Context, func(int)) error { return broken }, broken},
		"nothing to say": {func(context.Context, func(int)) error { return nil }, nil},
	} {
		if _, err := Decode(t.Context(), time.Minute, test.generate, nil); err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Decode(ctx, time.Minute, func(ctx context.Context, add func(int)) error { add(1); cancel(); return ctx.Err() }, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v once it was cancelled", err)
	}
}

func TestDeviceIsKept(t *testing.T) {
	p := synthetic()
	p.Device = &Device{
		KernelSets: []string{"ref"}, Cores: []host.Core{{Number: 1, Capacity: 1024}}, Drivers: []Access{{Name: "/dev/x", What: "x", Refusal: "no"}}, Hot: &p.Flash,
		Decoding: &Decoding{Tokens: 3, Seconds: 2, Samples: []Sample{{Seconds: 1, Tokens: 1, Celsius: 40}, {Seconds: 2, Tokens: 3}}},
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(text)
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("%v: %+v", err, got)
	}
	for name, damage := range map[string]func(*Device){
		"no hot reads":         func(d *Device) { d.Hot = &Flash{} },
		"tokens that vanish":   func(d *Device) { d.Decoding.Samples[0].Tokens = 4 },
		"time that runs back":  func(d *Device) { d.Decoding.Samples[0].Seconds = 3 },
		"more than all tokens": func(d *Device) { d.Decoding.Tokens = 2 },
	} {
		changed, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		damage(changed.Device)
		if err := changed.check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
