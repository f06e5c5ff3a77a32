package lever

import (
	"errors"
	"fmt"

	"github.com/lever-go/lever/weights"
)

var errNotStreamed = errors.New("lever: resize: the model was opened without a bound of its memory")

// Plan returns how the target's weights use memory at present. ok is false where their memory has no bound: then all are in memory.
func (e *Engine) Plan() (plan weights.Plan, ok bool) {
	if e.target.streamer == nil {
		return plan, false
	}
	return e.target.streamer.Plan(), true
}

// Trim gives memory of the target's weights back to the system, or takes it again when the pressure is over; a generation under way goes on.
// Where their memory has no bound it does not. From [weights.TrimLow] on, conversations that nobody generates in are forgotten, but for the latest:
// prompts that go on with them are taken in anew. It may be called from any goroutine. The error of a level that there is not wraps
// [weights.ErrArgument].
func (e *Engine) Trim(level weights.TrimLevel) error {
	if err := e.checkOpen(); err != nil {
		return err
	}
	if level < weights.TrimNone || level > weights.TrimCritical {
		return fmt.Errorf("lever: trim: there is no level %d: %w", level, weights.ErrArgument)
	}
	if level >= weights.TrimLow {
		if err := e.conversations.forgetIdle(); err != nil {
			return fmt.Errorf("lever: trim: %w", err)
		}
	}
	if e.target.streamer == nil {
		return nil
	}
	_, err := e.target.streamer.Trim(level)
	return err
}

// Resize changes the bound of the memory of the target's weights, in the same way. Where there is none, it fails.
func (e *Engine) Resize(dram int64) error {
	if err := e.checkOpen(); err != nil {
		return err
	}
	if e.target.streamer == nil {
		return errNotStreamed
	}
	_, err := e.target.streamer.Resize(dram)
	return err
}
