// Package flashsim makes the files of a store as slow as a flash device, so that a phone's storage can be reproduced on any machine whose own
// storage, or page cache, is faster. A [Profile] describes a device; a [Throttle] plays it:
//
//	profile, err := flashsim.Load("ufs-3.1")
//	…
//	throttle, err := flashsim.NewThrottle(profile, flashsim.Options{})
//	…
//	store, err := weights.Open(ctx, "llama.lever", weights.OpenOptions{OpenFile: throttle.Opener(nil)})
//
// # Errors
//
// Errors about profiles wrap [weights.ErrVersion] or [weights.ErrCorrupt].
package flashsim
