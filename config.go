package lever

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// Config says which models to open and what they may use. Only Model must be set.
type Config struct {
	// Model is the target: a store directory, or a Hugging Face folder or GGUF file, which is converted into CacheDir once.
	Model string
	// Architectures are those of models that package arch does not know, or that these shall build. They are tried before those.
	Architectures []*arch.Architecture
	// Draft is the draft model, given in the same ways. It stays in memory. If it is empty, there is no draft.
	Draft string
	// DraftMask is the token by which the draft predicts several tokens at once ([spec.Parallel]). If it is nil, it is the one that the draft's
	// configuration names, if any.
	DraftMask *int32
	// ChatTemplate is the text of a Jinja template that takes the place of the target's own, if not empty.
	ChatTemplate string
	// DRAM bounds the bytes that the target's weights take; where they need more, they are streamed. If it is zero, all of them are in memory. While a
	// streamed target generates, GOMAXPROCS of the process is larger by the number of reads under way, unless the environment sets it:
	// otherwise reads that the scheduler takes for running code keep workers waiting (passes of an 8B model on two cores took 1.1 times
	// as long). It is put back when no engine generates any more.
	DRAM int64
	// Memory, if it is not zero, takes the place of DRAM: it bounds what the target's weights take together with its keys and values. These get what
	// they need once all conversations fill the context, at most half, so that a longer context, or a larger type of keys and values, leaves
	// less to weights.
	Memory int64
	// ReadSize and ReadDepth are the bytes of one read of a streamed target and the number of reads under way at once; if zero, values that suit
	// most machines. The command lever profile finds those that suit this one.
	ReadSize, ReadDepth int
	// Threads is the number of workers, at most [MaxThreads]; if zero, one per performance core.
	Threads int
	// Kernels is the name of the kernel set that computes, one of kernels.Sets; if empty, the default set. Engines of one process may
	// differ.
	Kernels string
	// BigCores keeps the workers on the performance cores, on Linux and Android processors that have slower ones too.
	BigCores bool
	// Pause is asked after each pass of the target how long to rest before the next one; busy is the time since the last rest. An app
	// answers by how hot the phone is: busy itself halves the work. Reading ahead goes on meanwhile, until its buffers are full. If Pause is
	// nil, the engine never rests.
	Pause func(busy time.Duration) time.Duration
	// Parallel is how many generations the engine does at once, at most [MaxParallel]; if zero, one. They share passes over the models, so that several
	// take little longer than one where weights are read from flash, and each gets the text that it would get alone. As many conversations are
	// kept: a prompt that begins as one of them did is not taken in again as far as that goes, and where most of it is being taken in for another
	// one, it waits for that. Each takes memory for its keys and values.
	Parallel int
	// NewPolicy makes what decides what is drafted for requests that name no policy: one for each conversation that is kept, as policies learn and serve
	// one generation at a time. If it is nil, it is [Engine.NewLever], or nothing is drafted where there is neither a draft nor a file to remember.
	NewPolicy func(e *Engine) (spec.Policy, error)
	// Context is the largest number of tokens of prompt and answer; if zero, as many as the model was made for, at most 8192.
	Context int
	// KV is the type of the cached keys and values: tensor.F16, also by default; tensor.Q8_0, which takes 17/32 of the memory and rounds each block of
	// 32 elements to bytes; tensor.Q4_0, which takes 13/32 and means values in Q4_0 with keys in Q8_0; or tensor.F32. Q8_0 and Q4_0 need heads of a
	// multiple of 32 elements.
	KV tensor.DType
	// Prune is the part of the expected accepted tokens of a tree that may be given up by dropping nodes half-way through the target, up to
	// 1, which leaves one path; [PruneAuto], the default, drops what is not worth its time as far as the policy can tell, and [PruneOff]
	// drops nothing. It takes predictors in the target's store; package distill trains them. With one that is damaged or another model's
	// nothing is dropped, and [Result].NoPruning says so. The text is the same in all cases.
	Prune float64
	// OpenFile opens the files of the target's store; if nil, they are opened as plain files. The Opener of a Throttle of package flashsim gives
	// the target another device's flash.
	OpenFile func(path string) (weights.File, error)
	// NPU is a device that takes part in the work, if not nil. The Engine closes it, also where Open fails. Placement says what runs there.
	NPU       npu.Device
	Placement Placement
	// CPUCosts and NPUCosts are how fast the CPU and the device multiply. If they are zero, the device tells or they are measured in Open.
	CPUCosts, NPUCosts npu.Costs
	// Remember is a file that keeps the tokens of answers, if not empty, so that what this or a later process answers again need not be drafted: the
	// latest 65,536 tokens at most, and no fewer than half of them, equal answers once. Close and [Engine.SaveAnswers] add to it, whole or not at all, also where several processes
	// share it (on Windows answers of one of two that add in the same moment may be lost). Who can read it can read the answers. It fits models of one vocabulary. If it is absent, there are no answers yet; Open fails
	// with [ErrAnswersCorrupt] or [ErrAnswersForeign] where it can't be used, and keeps it as it is.
	Remember string
	// KeepLearned keeps in CacheDir how often candidates of each source were right with these models, about 150 kB of counts without text, so that the
	// first trees of a later Engine are no worse than the last ones of this. Close writes it; where it can't be written, or read, nothing is kept.
	KeepLearned bool
	// Trace is the file to which a trace of reads and computing is written, in Chrome's trace format, if not empty.
	Trace string
	// CacheDir is where converted models are kept; if empty, in the directory that the function CacheDir returns.
	CacheDir string
	// Progress, if not nil, is called during long work while models are opened.
	Progress func(Progress)

	parts layers.Trace                                            // if not nil, is called for the parts of the target's passes
	queue func() *offload.Queue                                   // makes the queue of the model that is opened; nil without a device
	alloc func(d tensor.DType, bytes int) (weights.Memory, error) // gives memory for its weights that stay; nil for the usual
	reads func(lane, name string, began, ended time.Time)         // if not nil, is called for the target's reads
}

// Progress is the state of a piece of long work.
type Progress struct {
	Task        string // what is done, such as "converting model.gguf"
	Done, Total int64  // bytes
}

const defaultContextLimit = 8192

// MaxThreads is the largest number of workers: more than any processor has cores.
const MaxThreads = 1024

// report returns a callback for work of package weights, called task, or nil if Progress is.
func (c Config) report(task string) func(weights.Progress) {
	if c.Progress == nil {
		return nil
	}
	return func(p weights.Progress) { c.Progress(Progress{Task: task, Done: p.Done, Total: p.Total}) }
}

// CacheDir returns the directory for converted models that is used when Config.CacheDir is empty: $LEVER_CACHE, or the directory
// lever in the user's cache directory.
func CacheDir() (string, error) {
	if dir := os.Getenv("LEVER_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("lever: find the user's cache directory (set LEVER_CACHE to choose one): %w", err)
	}
	return filepath.Join(dir, "lever"), nil
}

func (c Config) cacheDir() (string, error) {
	if c.CacheDir != "" {
		return c.CacheDir, nil
	}
	return CacheDir()
}
