package weights

import (
	"cmp"
	"maps"
	"slices"
)

// Info describes a store.
type Info struct {
	Dir       string       `json:"dir"`
	Version   int          `json:"version"`
	Config    []byte       `json:"-"` // as [Store.Config]
	Bytes     int64        `json:"bytes"`
	Types     []TypeInfo   `json:"types"`   // largest first
	Chunks    []ChunkInfo  `json:"chunks"`  // in order of use
	Tensors   []TensorInfo `json:"tensors"` // in order of use
	Tokenizer []FileInfo   `json:"tokenizer"`

	Predictors []PredictorInfo `json:"predictors,omitempty"` // in the order of layers

	// Notes say what the user of the store should know: a manifest without checksum, a predictor that can't be used, or a head that
	// is kept although the configuration calls it the embedding.
	Notes []string `json:"notes,omitempty"`

	store *Store
}

// Written reports whether the store exists: [Contents.Describe] describes one that does not.
func (i *Info) Written() bool { return len(i.Chunks) > 0 && i.Chunks[0].SHA256 != "" }

// Plan returns how a [Streamer] of the store would use at most limit bytes of memory.
func (i *Info) Plan(limit int64) (Plan, error) { return i.store.Plan(limit) }

// TypeInfo sums up the tensors of one type.
type TypeInfo struct {
	Type     string `json:"type"`
	Tensors  int    `json:"tensors"`
	Elements int64  `json:"elements"`
	Bytes    int64  `json:"bytes"` // padding excluded
}

// ChunkInfo describes a chunk.
type ChunkInfo struct {
	File     string `json:"file"`
	Bytes    int64  `json:"bytes"`
	Segments int    `json:"segments"`
	SHA256   string `json:"sha256,omitempty"` // empty where nothing has been written
}

// TensorInfo describes a tensor.
type TensorInfo struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Rows  int    `json:"rows"`
	Cols  int    `json:"cols"`
	Parts int    `json:"parts"`
	Chunk int    `json:"chunk"`
	Bytes int64  `json:"bytes"` // padding to pages excluded
}

// FileInfo describes a file of the tokenizer.
type FileInfo struct {
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// PredictorInfo describes a predictor.
type PredictorInfo struct {
	Layer    int      `json:"layer"`
	Rank     int      `json:"rank"`
	Bytes    int      `json:"bytes"` // in memory
	Training Training `json:"training"`
}

const noChecksum = "its manifest has no checksum, so that damage of it may not be found; convert the model again to have one"

// Inspect describes the store dir. It checks the manifest and the sizes of the chunks, of which it reads none.
func Inspect(dir string) (*Info, error) {
	m, _, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, manifest: m}
	if err := s.checkSizes(); err != nil {
		return nil, err
	}
	info := s.describe()
	predictors, err := s.Predictors()
	if err != nil {
		info.Notes = append(info.Notes, "it is used without predictor: "+err.Error())
	}
	for _, p := range predictors {
		info.Predictors = append(info.Predictors, PredictorInfo{p.Layer, p.Down.Rows, len(p.Down.Data) + len(p.Out.Data), p.Training})
	}
	return info, nil
}

// describe returns what the manifest says.
func (s *Store) describe() *Info {
	m := s.manifest
	info := &Info{Dir: s.dir, Version: m.Version, Config: m.Config, Bytes: m.bytes(), store: s}
	for i := range m.Tensors {
		t := &m.Tensors[i]
		info.Tensors = append(info.Tensors, TensorInfo{
			Name: t.Name, Type: t.Type, Rows: t.Rows, Cols: t.Cols, Parts: len(t.Parts), Chunk: t.Parts[0].Chunk, Bytes: t.bytes(),
		})
	}
	info.Types = s.Types()
	for _, c := range m.Chunks {
		info.Chunks = append(info.Chunks, ChunkInfo{c.File, c.Size, len(c.Segments), c.SHA256})
	}
	if m.Version == uncheckedVersion {
		info.Notes = append(info.Notes, noChecksum)
	}
	for _, f := range m.Tokenizer {
		info.Tokenizer = append(info.Tokenizer, FileInfo{f.File, f.Size, f.SHA256})
	}
	return info
}

// Types sums up the tensors by type, the types of the most bytes first.
func (s *Store) Types() []TypeInfo {
	types := map[string]TypeInfo{}
	for i := range s.manifest.Tensors {
		t := &s.manifest.Tensors[i]
		sum := types[t.Type]
		types[t.Type] = TypeInfo{t.Type, sum.Tensors + 1, sum.Elements + int64(t.Rows)*int64(t.Cols), sum.Bytes + t.bytes()}
	}
	return slices.SortedFunc(maps.Values(types), func(a, b TypeInfo) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Type, b.Type))
	})
}
