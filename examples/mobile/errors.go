package mobile

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/toolcall"
	"github.com/lever-go/lever/weights"
)

// Kinds of errors.
const (
	KindBusy        = "busy"        // another answer is under way: wait, or cancel it
	KindCancelled   = "cancelled"   // Cancel was called
	KindClosed      = "closed"      // the engine is not open any more
	KindNotFound    = "notFound"    // there is no such file or folder: download it
	KindDamaged     = "damaged"     // the model's files are not what was converted: download them again
	KindVersion     = "version"     // of the files, or the session, another than this program's
	KindMemory      = "memory"      // too little memory: give more, or take a smaller model
	KindStorage     = "storage"     // the device is full
	KindNetwork     = "network"     // the download did not come to its end: try again later
	KindTooLong     = "tooLong"     // the conversation fills the context: begin a new one
	KindUnsupported = "unsupported" // the model can't do that
	KindOther       = "other"
)

var (
	errBusy   = errors.New("the engine is busy with another answer")
	errClosed = errors.New("the engine is not open")
	errSink   = errors.New("the receiver of the text wants no more")
)

// kinds lists what errors of a kind wrap.
var kinds = []struct {
	kind   string
	causes []error
}{
	{KindBusy, []error{errBusy, lever.ErrBusy}},
	{KindCancelled, []error{context.Canceled}},
	{KindClosed, []error{errClosed}},
	{KindNotFound, []error{fs.ErrNotExist}},
	{KindDamaged, []error{weights.ErrCorrupt, weights.ErrTruncated, weights.ErrReplaced, lever.ErrSessionCorrupt}},
	{KindVersion, []error{weights.ErrVersion, lever.ErrSessionVersion}},
	{KindMemory, []error{syscall.ENOMEM}},
	{KindStorage, []error{syscall.ENOSPC, syscall.EDQUOT}},
	{KindNetwork, []error{errNetwork}},
	{KindTooLong, []error{spec.ErrPromptTooLong, layers.ErrContextFull}},
	{KindUnsupported, []error{weights.ErrUnsupported, layers.ErrUnsupported, toolcall.ErrUnsupported, errors.ErrUnsupported}},
}

// KindOf returns the kind of an error that a method has thrown, one of the constants Kind. It is "" if err is nil.
func KindOf(err error) string {
	if err == nil {
		return ""
	}
	var memory *weights.MemoryError
	if errors.As(err, &memory) {
		return KindMemory
	}
	for _, k := range kinds {
		for _, cause := range k.causes {
			if errors.Is(err, cause) {
				return k.kind
			}
		}
	}
	return KindOther
}
