package weights

import (
	"errors"
	"fmt"

	"github.com/lever-go/lever/internal/host"
)

// AvailableMemory returns how many bytes of memory the system can give to this process without taking them from others: on Linux and
// Android what the kernel estimates (MemAvailable), or less where control groups of the process have limits. Other systems do not tell, and
// the error wraps [ErrUnsupported].
func AvailableMemory() (int64, error) {
	n, err := host.AvailableMemory()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return 0, fmt.Errorf("weights: available memory: the system does not tell: %w", ErrUnsupported)
	case err != nil:
		return 0, fmt.Errorf("weights: %w", err)
	}
	return n, nil
}
