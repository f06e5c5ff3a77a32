package tensorfile_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/tensorfile"
)

func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")
	weights := map[string]*tensor.Tensor{"up": tensor.Must(tensor.Eye(tensor.F16, 3)), "gain": tensor.Must(tensor.Ones(tensor.F32, 3))}
	if err := tensorfile.WriteSafetensors(path, weights, nil); err != nil {
		fmt.Println(err)
		return
	}

	f, err := tensorfile.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		fmt.Println(name, info.Type, info.Shape)
	}
	fmt.Println(f.ReadRows(context.Background(), "up", 1, 3))
	// Output:
	// gain f32 [3]
	// up f16 [3 3]
	// f16[2 3] [[0 1 0] [0 0 1]] <nil>
}

func ExampleWriteNPY() {
	var file bytes.Buffer // for numpy.load
	if err := tensorfile.WriteNPY(&file, tensor.Must(tensor.Arange(tensor.I64, 0, 3, 1))); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tensorfile.ReadNPY(&file))
	// Output:
	// i64[3] [0 1 2] <nil>
}
