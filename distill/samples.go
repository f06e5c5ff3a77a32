package distill

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/lever-go/lever/internal/publish"
	"github.com/x448/float16"
)

const (
	samplesName = "samples.bin"
	choicesName = "choices.bin"
	stateName   = "samples.json"
	sampleForm  = 2 // version of all
)

// sampleState says what samples.bin and choices.bin hold. It is written after what it counts, so that an interrupted collection goes on from the
// last complete sequence.
type sampleState struct {
	Version   int    `json:"version"`
	Model     string `json:"model"` // weights.Store.Identity
	Text      string `json:"text"`  // digest of what is run over, and of the settings that samples depend on
	Exits     []int  `json:"exits"`
	Width     int    `json:"width"`
	Top       int    `json:"top"`
	Sequences int    `json:"sequences"` // done
	Samples   int    `json:"samples"`
	Choices   int    `json:"choices"`
}

// sample is what the target showed after one token.
type sample struct {
	sequence uint32
	tokens   []int32   // its most probable next tokens, [top]
	logits   []float32 // theirs
	hidden   []float32 // [width] of each exit, one after the other
}

// recordBytes returns the size of a sample in the file: sequence, top × (token, logit), and the hidden states as F16.
func (s *sampleState) recordBytes() int { return 4 + 8*s.Top + 2*len(s.Exits)*s.Width }

// newSample returns a sample with room for the hidden states of so many exits.
func (s *sampleState) newSample(exits int) sample {
	return sample{tokens: make([]int32, s.Top), logits: make([]float32, s.Top), hidden: make([]float32, exits*s.Width)}
}

// maxF16 is the largest finite F16. States beyond it do occur in large models, in a few channels.
const maxF16 = 65504

func (s *sample) encode(record []byte) {
	put := binary.LittleEndian
	put.PutUint32(record, s.sequence)
	record = record[4:]
	for i, token := range s.tokens {
		put.PutUint32(record[8*i:], uint32(token))
		put.PutUint32(record[8*i+4:], math.Float32bits(s.logits[i]))
	}
	encodeHidden(record[8*len(s.tokens):], s.hidden)
}

func encodeHidden(record []byte, hidden []float32) {
	for i, x := range hidden {
		binary.LittleEndian.PutUint16(record[2*i:], float16.Fromfloat32(min(max(x, -maxF16), maxF16)).Bits())
	}
}

func decodeHidden(hidden []float32, record []byte) {
	for i := range hidden {
		hidden[i] = float16.Frombits(binary.LittleEndian.Uint16(record[2*i:])).Float32()
	}
}

// decode takes the sample from a record, with the hidden state of one exit only.
func (s *sample) decode(record []byte, exit int) {
	get := binary.LittleEndian
	s.sequence = get.Uint32(record)
	record = record[4:]
	for i := range s.tokens {
		s.tokens[i] = int32(get.Uint32(record[8*i:]))
		s.logits[i] = math.Float32frombits(get.Uint32(record[8*i+4:]))
	}
	decodeHidden(s.hidden, record[8*len(s.tokens)+2*exit*len(s.hidden):])
}

// sampleWriter appends samples and choices to a folder.
type sampleWriter struct {
	dir              string
	state            sampleState
	samples, choices *recordWriter
}

// recordWriter appends records of one size to a file.
type recordWriter struct {
	file   *os.File
	buffer *bufio.Writer
	record []byte
}

// openRecords opens a file for writing behind so many records.
func openRecords(path string, records, size int) (w *recordWriter, err error) {
	w = &recordWriter{record: make([]byte, size)}
	if w.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, err
	}
	end := int64(records) * int64(size)
	info, err := w.file.Stat()
	if err == nil && info.Size() < end {
		err = fmt.Errorf("%s has %d bytes of %d: delete the folder to collect anew", path, info.Size(), end)
	}
	if err == nil {
		err = w.file.Truncate(end)
	}
	if err == nil {
		_, err = w.file.Seek(end, 0)
	}
	if err != nil {
		return nil, errors.Join(err, w.file.Close())
	}
	w.buffer = bufio.NewWriterSize(w.file, 1<<20)
	return w, nil
}

func (w *recordWriter) add() error {
	_, err := w.buffer.Write(w.record)
	return err
}

func (w *recordWriter) sync() error { return errors.Join(w.buffer.Flush(), w.file.Sync()) }

func (w *recordWriter) close() error { return errors.Join(w.buffer.Flush(), w.file.Close()) }

// resume opens the samples in dir for writing: after those that are there, if they were collected from the same model over the same text, or
// else from the beginning.
func resume(dir string, want sampleState) (w *sampleWriter, err error) {
	w = &sampleWriter{dir: dir, state: want}
	if state, err := readState(dir); err == nil && state.fits(want) {
		w.state = state
	}
	if w.samples, err = openRecords(filepath.Join(dir, samplesName), w.state.Samples, w.state.recordBytes()); err != nil {
		return nil, err
	}
	if w.choices, err = openRecords(filepath.Join(dir, choicesName), w.state.Choices, w.state.choiceBytes()); err != nil {
		return nil, errors.Join(err, w.samples.close())
	}
	return w, nil
}

// fits reports whether s continues what want begins.
func (s *sampleState) fits(want sampleState) bool {
	return s.Version == want.Version && s.Model == want.Model && s.Text == want.Text && slices.Equal(s.Exits, want.Exits) &&
		s.Width == want.Width && s.Top == want.Top && min(s.Sequences, s.Samples, s.Choices) >= 0
}

func readState(dir string) (state sampleState, err error) {
	text, err := os.ReadFile(filepath.Join(dir, stateName))
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	return state, err
}

func (w *sampleWriter) add(s *sample) error {
	s.encode(w.samples.record)
	w.state.Samples++
	return w.samples.add()
}

// finish notes that a sequence is complete.
func (w *sampleWriter) finish() error {
	w.state.Sequences++
	if err := errors.Join(w.samples.sync(), w.choices.sync()); err != nil {
		return err
	}
	text, err := json.Marshal(w.state)
	if err != nil {
		return err
	}
	return publish.WriteFile(filepath.Join(w.dir, stateName), text, 0o644)
}

func (w *sampleWriter) close() error { return errors.Join(w.samples.close(), w.choices.close()) }

// sampleReader reads samples in any order.
type sampleReader struct {
	state  sampleState
	file   *os.File
	record []byte
}

func openSamples(dir string) (*sampleReader, error) {
	state, err := readState(dir)
	if err != nil {
		return nil, err
	}
	if state.Samples == 0 || state.recordBytes() < 4 {
		return nil, fmt.Errorf("%s: no samples: %w", dir, fs.ErrNotExist)
	}
	file, err := os.Open(filepath.Join(dir, samplesName))
	if err != nil {
		return nil, err
	}
	return &sampleReader{state, file, make([]byte, state.recordBytes())}, nil
}

// read takes in sample i, with the hidden state of one exit, counted from 0.
func (r *sampleReader) read(i, exit int, s *sample) error {
	if _, err := r.file.ReadAt(r.record, int64(i)*int64(len(r.record))); err != nil {
		return fmt.Errorf("sample %d: %w", i, err)
	}
	s.decode(r.record, exit)
	return nil
}

func (r *sampleReader) close() error { return r.file.Close() }
