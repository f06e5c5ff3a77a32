package mobile

import "github.com/lever-go/lever/weights"

// Levels of Android's ComponentCallbacks2.onTrimMemory.
const (
	trimRunningLow      = 10
	trimRunningCritical = 15
	trimUIHidden        = 20
	trimBackground      = 40
)

// Trim gives memory of the model's weights back to the system, also during a generation, which then becomes slower. level is what Android
// passes to onTrimMemory; 0 takes the memory again. On iOS, pass 15 at a memory warning. It does nothing for a model that Open was told to
// keep in memory.
func (e *Engine) Trim(level int) error {
	e.state.RLock()
	defer e.state.RUnlock()
	if e.engine == nil {
		return errClosed
	}
	trim := weights.TrimCritical
	switch {
	case level <= 0:
		trim = weights.TrimNone
	case level < trimRunningLow:
		trim = weights.TrimModerate
	case level < trimRunningCritical, level >= trimUIHidden && level < trimBackground:
		trim = weights.TrimLow
	}
	return e.engine.Trim(trim)
}

// Resize changes the memory of the model's weights, also during an answer. It fails for a model that Open was told to keep in memory.
func (e *Engine) Resize(memoryBytes int64) error {
	e.state.RLock()
	defer e.state.RUnlock()
	if e.engine == nil {
		return errClosed
	}
	return e.engine.Resize(memoryBytes)
}
