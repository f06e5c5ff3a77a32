package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Record is the file of a measurement that may be ended and gone on with: a line that says what is measured, and then a line for each result, both in
// JSON. Its methods must not be called at the same time.
type Record[T any] struct {
	// Results are those that the file held when it was opened, and those that were added.
	Results []T
	file    *os.File // nil if they are kept nowhere
}

// OpenRecord opens the record at path, or makes it. A last line that was not completed is cut off. It is an error if header, what results must
// have in common to be of one measurement, is not that of the file. Without a path, the record has no file.
func OpenRecord[T any](path string, header any) (r *Record[T], err error) {
	r = &Record[T]{}
	if path == "" {
		return r, nil
	}
	first, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if r.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if err := r.read(first); err != nil {
		return nil, fmt.Errorf("record %s: %w", path, errors.Join(err, r.file.Close()))
	}
	return r, nil
}

// read reads the results of the file, or writes the header of one that is empty. What is written next is added at its end.
func (r *Record[T]) read(header []byte) error {
	text, err := io.ReadAll(r.file)
	if err != nil {
		return err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	if err := r.file.Truncate(int64(len(text))); err != nil {
		return err
	}
	if _, err := r.file.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	if len(text) == 0 {
		_, err := r.file.Write(append(header, '\n'))
		return err
	}
	first, rest, _ := bytes.Cut(text, []byte{'\n'})
	if !bytes.Equal(first, header) {
		return fmt.Errorf("it is of another measurement, %s and not %s: choose another file", first, header)
	}
	for line := range bytes.Lines(rest) {
		var x T
		if err := json.Unmarshal(line, &x); err != nil {
			return fmt.Errorf("%w: choose another file", err)
		}
		r.Results = append(r.Results, x)
	}
	return nil
}

// Add writes a result.
func (r *Record[T]) Add(x T) error {
	if r.file != nil {
		line, err := json.Marshal(x)
		if err == nil {
			_, err = r.file.Write(append(line, '\n'))
		}
		if err != nil {
			return fmt.Errorf("record: %w", err)
		}
	}
	r.Results = append(r.Results, x)
	return nil
}

// Close closes the file.
func (r *Record[T]) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
