//go:build !darwin

package arm64

// holdSignals and releaseSignals do nothing where the system leaves streaming mode before it runs a signal's handler.
func holdSignals() (before uint32) { return 0 }

func releaseSignals(uint32) {}
