// Package flash measures reading: how fast the storage is by size and number of reads, and how close a streamed pass over a model comes to that,
// for growing parts of the model in memory.
//
// Usage:
//
//	r, err := flash.Run(ctx, flash.Options{Model: "llama-8b.lever"})
//
// Limits: passes compute nothing, so that reading alone is measured. The model should be larger than the caches of the drive; a virtual machine's
// host may keep some of it all the same.
package flash
