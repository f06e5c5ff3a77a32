package lever

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/tokenizer"
	"github.com/minio/sha256-simd"
)

// Errors about files of earlier answers; see [Config].Remember.
var (
	ErrAnswersCorrupt = errors.New("not a whole file of answers")
	// ErrAnswersForeign means that the tokens of a file of answers are those of another vocabulary.
	ErrAnswersForeign = errors.New("answers in tokens of another vocabulary")
	// ErrAnswersLocked means that answers could not be added to their file, which is as it was, since another process kept its folder locked.
	ErrAnswersLocked = errors.New("answers were not saved")
)

// A file of answers holds, in this order:
//
//  1. answersMagic, whose last character but one is the version;
//  2. the SHA-256 of the vocabulary: the bytes of each token, after their number as 4 bytes, little-endian;
//  3. the tokens, as gaincost.Answers appends them;
//  4. the SHA-256 of all that.
const (
	answersMagic = "lever answers 1\n"
	maxAnswers   = 1 << 20 // bytes: more than the tokens that are remembered can take
)

// lockWait is how long saving waits for other processes, each of which has the folder locked for some milliseconds.
const lockWait = 5 * time.Second

// remembered are the answers of earlier generations, and their file.
type remembered struct {
	path       string
	vocabulary [sha256.Size]byte
	answers    *gaincost.Answers

	mu    sync.Mutex
	added *gaincost.Answers // those of answers that the file lacks
}

// openRemembered reads the file at path, if there is one.
func openRemembered(path string, tok *tokenizer.Tokenizer) (*remembered, error) {
	r := &remembered{path: path, vocabulary: hashVocabulary(tok), added: noAnswers()}
	var err error
	if r.answers, err = r.read(); err != nil {
		return nil, fmt.Errorf("lever: remember %s: %w", path, err)
	}
	return r, nil
}

func noAnswers() *gaincost.Answers {
	a, err := gaincost.NewAnswers(0)
	if err != nil {
		panic(err) // the usual number can be remembered
	}
	return a
}

func hashVocabulary(tok *tokenizer.Tokenizer) (sum [sha256.Size]byte) {
	h := sha256.New()
	var text []byte
	for id := range int32(tok.Size()) {
		token := tok.Token(id)
		text = append(binary.LittleEndian.AppendUint32(text[:0], uint32(len(token))), token...)
		h.Write(text)
	}
	h.Sum(sum[:0])
	return sum
}

// read returns the answers of the file. An absent or empty one holds none.
func (r *remembered) read() (*gaincost.Answers, error) {
	answers := noAnswers()
	data, err := regular.Read(r.path, maxAnswers)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err = os.Stat(filepath.Dir(r.path)) // where it is to be written
		return answers, err
	case err == nil && len(data) == 0:
		return answers, nil
	case errors.Is(err, regular.ErrTooLarge) || errors.Is(err, regular.ErrNoFile):
		return nil, fmt.Errorf("%w: %w", ErrAnswersCorrupt, err)
	case err != nil:
		return nil, err
	}
	rest, ours := bytes.CutPrefix(data, []byte(answersMagic))
	if !ours || len(rest) < 2*sha256.Size {
		return nil, fmt.Errorf("%w: it begins with something else, and is kept: name another file", ErrAnswersCorrupt)
	}
	end := len(data) - sha256.Size
	if sum := sha256.Sum256(data[:end]); !bytes.Equal(sum[:], data[end:]) {
		return nil, fmt.Errorf("%w: its checksum is wrong: delete it, or name another file", ErrAnswersCorrupt)
	}
	if !bytes.Equal(rest[:sha256.Size], r.vocabulary[:]) {
		return nil, fmt.Errorf("%w: name another file for this model", ErrAnswersForeign)
	}
	if err := answers.UnmarshalBinary(data[len(answersMagic)+sha256.Size : end]); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswersCorrupt, err)
	}
	return answers, nil
}

// add remembers an answer.
func (r *remembered) add(tokens []int32) {
	if r != nil && len(tokens) > 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.answers.Add(tokens)
		r.added.Add(tokens)
	}
}

// save adds what the file lacks to it, whole or not at all.
func (r *remembered) save() error {
	if r == nil || r.added.Len() == 0 {
		return nil
	}
	if err := r.merge(); err != nil {
		return fmt.Errorf("lever: remember %s: %w", r.path, err)
	}
	r.added = noAnswers()
	return nil
}

// merge writes the file anew: with what it holds, which may be another process's, and after that what was added here.
func (r *remembered) merge() error {
	dir := filepath.Dir(r.path)
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	unlock, err := publish.LockFolder(ctx, dir)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: folder %s is still locked after %v by another process, which may be stopped: end it, or let it go on", ErrAnswersLocked, dir, lockWait)
	case err != nil:
		return err
	}
	defer unlock()
	all, err := r.read()
	if err != nil {
		return err
	}
	added, err := r.added.AppendBinary(nil)
	if err != nil {
		return err
	}
	if err := all.UnmarshalBinary(added); err != nil {
		return err
	}
	data, err := all.AppendBinary(append([]byte(answersMagic), r.vocabulary[:]...))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	return publish.WriteFile(r.path, append(data, sum[:]...), 0o600)
}

// Answers returns the earlier answers that [Config].Remember asks for, for look-up by policies of the caller's, or nil. They are used, and
// added to, by Generate.
func (e *Engine) Answers() *gaincost.Answers {
	if e.remembered == nil {
		return nil
	}
	return e.remembered.answers
}

// SaveAnswers writes the file of [Config].Remember, as Close does: apps that may be ended without notice call it now and then. During a
// generation the error is [ErrBusy].
func (e *Engine) SaveAnswers() error {
	if err := e.begin(); err != nil {
		return fmt.Errorf("lever: save answers: %w", err)
	}
	defer e.end()
	return e.remembered.save()
}
