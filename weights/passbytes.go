package weights

import (
	"slices"

	"github.com/lever-go/lever/tensor"
)

// PassBytes returns the bytes of weights that a pass uses: all but the tables of which it looks up rows. The embedding counts if it is the head too. Of a
// mixture of experts it counts all of them.
func (i *Info) PassBytes() (bytes int64) {
	for _, t := range i.passTensors() {
		bytes += t.Bytes
	}
	return bytes
}

// PassBytesAs returns what [Info.PassBytes] would be in a store of other types.
func (i *Info) PassBytesAs(mix Mix) (bytes int64) {
	blocks := len(i.Chunks) - 2
	for _, t := range i.passTensors() {
		d := tensor.F32
		if t.Rows > 1 {
			d = fitting(mix.TypeOf(t.Name, blocks), t.Cols)
		}
		bytes += int64(tensor.PackedBytes(d, t.Rows, t.Cols))
	}
	return bytes
}

func (i *Info) passTensors() []TensorInfo {
	tied := !slices.ContainsFunc(i.Tensors, func(t TensorInfo) bool { return t.Name == headName })
	return slices.DeleteFunc(slices.Clone(i.Tensors), func(t TensorInfo) bool { return t.Chunk == 0 && !(tied && t.Name == embeddingName) })
}
