package lever_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/layers"
)

// A store whose tensors are not what the configuration needs is refused when it is opened, with the tensor's name.
func TestMisshapenTensors(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(pair.Target, "lever.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range [][2]string{{"block.2.o", "block.3.attn_norm"}, {"block.1.gate", "block.1.down"}, {"block.2.o", "nobody"}} {
		body, _, _ := bytes.Cut(good, []byte(`,"checksum"`))
		a, b := fmt.Appendf(nil, `"name":%q`, names[0]), fmt.Appendf(nil, `"name":%q`, names[1])
		body = bytes.ReplaceAll(bytes.ReplaceAll(bytes.ReplaceAll(body, a, []byte("~")), b, a), []byte("~"), b)
		if err := os.WriteFile(path, fmt.Appendf(body, ",\"checksum\":\"%x\"}\n", sha256.Sum256(body)), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, dram := range []int64{0, 8 << 20} {
			e, err := lever.Open(t.Context(), lever.Config{Model: pair.Target, DRAM: dram})
			if !errors.Is(err, layers.ErrWiring) || !strings.Contains(err.Error(), names[0]) {
				t.Errorf("%s as %s: %v", names[1], names[0], err)
			}
			if err == nil {
				e.Close()
			}
		}
	}
}
