package profiles_test

import (
	"errors"
	"fmt"

	"github.com/lever-go/lever/kernels/npu/profiles"
)

func ExampleLoad() {
	fmt.Println(profiles.Names())
	p, err := profiles.Load("mid-range")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.NPU.Device, "takes batches of", p.NPU.Batches)
	_, err = profiles.Parse([]byte(`{"format": "lever-npu", "version": 1, "speed": 3}`))
	fmt.Println(err, errors.Is(err, profiles.ErrInvalid))
	// Output:
	// [mid-range snapdragon-8-gen-3-matrix snapdragon-8-gen-3]
	// mid-range NPU (simulated) takes batches of [1 8 32 64]
	// profiles: invalid profile: json: unknown field "speed" true
}
