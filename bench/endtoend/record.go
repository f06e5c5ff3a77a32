package endtoend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// record is the file of a measurement's answers: a line that says what is measured, and then a line for each answer. A nil record keeps nothing.
type record struct {
	file    *os.File
	answers map[recordKey]Answer // that it held when it was opened
}

type recordKey struct{ prompt, way string }

// recordHeader is what answers must have in common to be of one measurement.
type recordHeader struct {
	Model, Draft              string
	DRAM                      int64
	Threads                   int
	Tokens, Plain, WarmTokens int
	Chains                    []int
	Peers                     []Peer
	CPUShare                  float64
}

func (o *Options) recordHeader() recordHeader {
	return recordHeader{
		Model: filepath.Base(o.Model), Draft: filepath.Base(o.Draft), DRAM: o.DRAM, Threads: o.Threads, Tokens: o.Tokens, Plain: o.PlainTokens, WarmTokens: o.WarmTokens,
		Chains: o.Chains, Peers: o.Peers, CPUShare: o.CPUShare,
	}
}

// openRecord opens the record that the options name, or returns nil. A last line that was not completed is cut off.
func (o *Options) openRecord() (r *record, err error) {
	if o.Record == "" {
		return nil, nil
	}
	header, err := json.Marshal(o.recordHeader())
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(o.Record, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	answers, err := readRecord(file, header)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", o.Record, errors.Join(err, file.Close()))
	}
	return &record{file, answers}, nil
}

// readRecord returns the answers of a file, or writes the header of one that is empty. What is written next is added at its end.
func readRecord(file *os.File, header []byte) (map[recordKey]Answer, error) {
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	if err := file.Truncate(int64(len(text))); err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	answers := map[recordKey]Answer{}
	if len(text) == 0 {
		_, err := file.Write(append(header, '\n'))
		return answers, err
	}
	first, rest, _ := bytes.Cut(text, []byte{'\n'})
	if !bytes.Equal(first, header) {
		return nil, fmt.Errorf("it is of another measurement, %s and not %s: choose another file", first, header)
	}
	for line := range bytes.Lines(rest) {
		var a Answer
		if err := json.Unmarshal(line, &a); err != nil {
			return nil, fmt.Errorf("%w: choose another file", err)
		}
		answers[recordKey{a.Prompt, a.Way}] = a
	}
	return answers, nil
}

// find returns the answer of a way to a prompt, if the record held it.
func (r *record) find(prompt, way string) (a Answer, ok bool) {
	if r != nil {
		a, ok = r.answers[recordKey{prompt, way}]
	}
	return a, ok
}

// add writes an answer.
func (r *record) add(a Answer) error {
	if r == nil {
		return nil
	}
	line, err := json.Marshal(a)
	if err == nil {
		_, err = r.file.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

func (r *record) close() error {
	if r == nil {
		return nil
	}
	return r.file.Close()
}
