//go:build unix

package weights_test

import (
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/weights"
)

func init() {
	weights.FlashOpener = func(name string, scale float64) (func(path string) (weights.File, error), error) {
		profile, err := flashsim.Load(name)
		if err != nil {
			return nil, err
		}
		throttle, err := flashsim.NewThrottle(profile, flashsim.Options{Scale: scale})
		if err != nil {
			return nil, err
		}
		return throttle.Opener(weights.OpenDirect), nil
	}
}
