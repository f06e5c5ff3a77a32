package mobile

import (
	"context"

	"github.com/lever-go/lever"
)

// OpenProgress hears how far Open has come.
type OpenProgress interface {
	// OnProgress is called with what is done, such as "checking llama-8b.lever", and how many of its bytes are.
	OnProgress(task string, done, total int64)
}

// Opener opens a model and its draft. Set its fields before Open is called.
type Opener struct {
	// MemoryBytes bounds the memory of the model's weights; what does not fit is streamed from flash. If it is 0, all of them are in memory.
	MemoryBytes int64
	// ContextTokens is the most tokens of a conversation; if it is 0, as many as the model was made for, at most 8192.
	ContextTokens int
	// BigCores keeps the work on the fast cores.
	BigCores bool
	// CacheDir is a folder for what is learned of the models between two starts of the app, and for conversions. If it is "", nothing is learned.
	CacheDir string
	// ChatTemplate takes the place of the model's own, if it is not "", for example with one that knows calls.
	ChatTemplate string

	modelDir, draftDir string
	ctx                context.Context
	cancel             context.CancelFunc
}

// NewOpener returns an opener of the stores of a model and of its draft, which may be "".
func NewOpener(modelDir, draftDir string) *Opener {
	o := &Opener{modelDir: modelDir, draftDir: draftDir}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o
}

// Open opens the models. The first time it checks every byte of them, which takes as long as reading them; later ones take a second or so. progress may be
// null.
func (o *Opener) Open(progress OpenProgress) (*Engine, error) {
	if o.ctx == nil { // made by Java's new without arguments
		return nil, errClosed
	}
	e := new(Engine)
	cfg := lever.Config{
		Model: o.modelDir, Draft: o.draftDir, DRAM: o.MemoryBytes, Context: o.ContextTokens, BigCores: o.BigCores,
		CacheDir: o.CacheDir, KeepLearned: o.CacheDir != "", ChatTemplate: o.ChatTemplate, Pause: e.rest,
	}
	if progress != nil {
		cfg.Progress = func(p lever.Progress) { progress.OnProgress(p.Task, p.Done, p.Total) }
	}
	var err error
	if e.engine, err = lever.Open(o.ctx, cfg); err != nil {
		return nil, err
	}
	return e, nil
}

// Cancel ends Open, which then fails, from any thread; an opener that was cancelled opens nothing any more.
func (o *Opener) Cancel() {
	if o.cancel != nil {
		o.cancel()
	}
}

// Open opens the stores of a model and of its draft, which may be "", with memoryBytes for the model's weights, and without progress.
func Open(modelDir, draftDir string, memoryBytes int64) (*Engine, error) {
	o := NewOpener(modelDir, draftDir)
	o.MemoryBytes = memoryBytes
	return o.Open(nil)
}
