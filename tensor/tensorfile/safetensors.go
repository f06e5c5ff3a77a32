package tensorfile

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/internal/safetensors"
	"github.com/lever-go/lever/tensor"
)

// metadataKey is the entry of a header that describes no tensor.
const metadataKey = "__metadata__"

// WriteSafetensors writes tensors by name into the file at path, in place of what was there; an error leaves that as it was. Other programs may
// want metadata {"format": "pt"}; it may be nil. Block types have no place in this format, nor have empty tensors.
func WriteSafetensors(path string, tensors map[string]*tensor.Tensor, metadata map[string]string) error {
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	header, offset := map[string]any{}, int64(0)
	if metadata != nil {
		header[metadataKey] = metadata
	}
	names := byAlignment(tensors)
	contents := make([][]byte, len(names))
	for i, name := range names {
		t := tensors[name]
		code, ok := safetensors.TypeName(t.DType())
		switch {
		case !ok:
			return fmt.Errorf("tensorfile: write %s: %w: %v has no place in safetensors; convert it", fileerr.Name(name), tensor.ErrType, t.DType())
		case t.Len() == 0 || name == metadataKey:
			return fmt.Errorf("tensorfile: write %s: %w: %v%v cannot be written", fileerr.Name(name), tensor.ErrShape, t.DType(), t.Shape())
		}
		plain, err := t.Contiguous()
		if err == nil {
			contents[i], err = plain.Bytes()
		}
		if err != nil {
			return fmt.Errorf("tensorfile: write %s: %w", fileerr.Name(name), err)
		}
		end := offset + int64(len(contents[i]))
		shape := t.Shape()
		if shape == nil {
			shape = []int{}
		}
		header[name] = entry{code, shape, [2]int64{offset, end}}
		offset = end
	}
	text, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("tensorfile: write: %w", err)
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	err = publish.File(path, 0o644, func(f *os.File) error {
		w := bufio.NewWriter(f)
		_, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...))
		for _, content := range contents {
			if err == nil {
				_, err = w.Write(content)
			}
		}
		return errors.Join(err, w.Flush())
	})
	if err != nil {
		return fmt.Errorf("tensorfile: write %s: %w", path, err)
	}
	return nil
}
