package weights

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"

	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/tensor"
)

// FormatVersion is the newest version of the store format, which this package writes of models with several tables. It reads all.
const FormatVersion = 4

const (
	uncheckedVersion = 1 // the manifest has no checksum
	denseVersion     = 2 // no segment is an expert's
	sparseVersion    = 3 // the embedding is the only table
)

// ManifestName is the name of a store's manifest. A folder without it is no store.
const ManifestName = "lever.json"

const (
	formatName   = "lever-store"
	chunkPattern = "chunks/%04d.bin"

	alignment  = 4096    // of segments in a file and of parts in a segment
	maxSegment = 8 << 20 // bytes

	maxManifest = 64 << 20 // bytes; that of a model of 70 billion weights has 2 MiB

	// Sides of a matrix beyond any model's, small enough that no product of sizes overflows.
	maxRows, maxCols = 1 << 28, 1 << 24
)

// embeddingName is the first table, which a tied model uses again as its head.
const embeddingName = "embedding"

// finalNormName is the tensor that a pass uses before its head.
const finalNormName = "final_norm"

// headName is the tensor that a tied model lacks.
const headName = "head"

// manifest is the content of lever.json; doc.go is its specification.
type manifest struct {
	Format    string          `json:"format"`
	Version   int             `json:"version"`
	Config    json.RawMessage `json:"config"`
	Tokenizer []fileEntry     `json:"tokenizer"`
	Chunks    []chunkEntry    `json:"chunks"`
	Tensors   []tensorEntry   `json:"tensors"`
}

type fileEntry struct {
	File   string `json:"file"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

type chunkEntry struct {
	File     string         `json:"file"`
	Size     int64          `json:"size"`
	SHA256   string         `json:"sha256"`
	Segments []segmentEntry `json:"segments"`
}

type segmentEntry struct {
	Offset int64  `json:"offset"`
	Size   int    `json:"size"`
	CRC32C uint32 `json:"crc32c"`
	Expert bool   `json:"expert,omitempty"` // passes use it only if they are routed to the expert that it holds
}

type tensorEntry struct {
	Name       string      `json:"name"`
	Type       string      `json:"type"`
	Rows       int         `json:"rows"`
	Cols       int         `json:"cols"`
	Parts      []partEntry `json:"parts"`
	TileCRC32C []uint32    `json:"tile_crc32c,omitempty"`

	dtype tensor.DType // of Type
}

type partEntry struct {
	Chunk   int `json:"chunk"`
	Segment int `json:"segment"`
	Offset  int `json:"offset"`
	Row     int `json:"row"`
	Rows    int `json:"rows"`
}

// packed returns part p of t, whose segment holds the bytes of buf.
func (t *tensorEntry) packed(p partEntry, buf []byte) tensor.Packed {
	end := p.Offset + t.partBytes(p)
	return tensor.Packed{Type: t.dtype, Row: p.Row, Rows: p.Rows, Cols: t.Cols, Data: buf[p.Offset:end:end]}
}

func (t *tensorEntry) partBytes(p partEntry) int { return tensor.PackedBytes(t.dtype, p.Rows, t.Cols) }

// bytes returns the size of all parts, without padding.
func (t *tensorEntry) bytes() int64 {
	size := int64(0)
	for _, p := range t.Parts {
		size += int64(t.partBytes(p))
	}
	return size
}

// partOf returns the index of the part that holds row.
func (t *tensorEntry) partOf(row int) (int, error) {
	if err := t.hasRow(row); err != nil {
		return 0, err
	}
	return sort.Search(len(t.Parts), func(i int) bool { return t.Parts[i].Row+t.Parts[i].Rows > row }), nil
}

// hasRow returns an error unless t has a row of that number.
func (t *tensorEntry) hasRow(row int) error {
	if row < 0 || row >= t.Rows {
		return fmt.Errorf("weights: tensor %s has %d rows, none is %d", t.Name, t.Rows, row)
	}
	return nil
}

// bytes returns the size of the chunks together.
func (m *manifest) bytes() int64 {
	n := int64(0)
	for _, c := range m.Chunks {
		n += c.Size
	}
	return n
}

// tensors returns the tensors by name.
func (m *manifest) tensors() map[string]*tensorEntry {
	byName := make(map[string]*tensorEntry, len(m.Tensors))
	for i := range m.Tensors {
		byName[m.Tensors[i].Name] = &m.Tensors[i]
	}
	return byName
}

// readManifest reads and checks the manifest of the store dir, and returns its text too.
func readManifest(dir string) (*manifest, []byte, error) {
	if err := checkWords(strconv.IntSize); err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, ManifestName)
	raw, err := regular.Read(path, maxManifest)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil, fmt.Errorf("weights: %s is not a complete store, which is a folder that a model was converted into: %w", dir, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("weights: %w", irregular(err))
	}
	m, err := parseManifest(raw)
	if err != nil {
		return nil, nil, &FileError{path, err}
	}
	return m, raw, nil
}

// parseManifest decodes and checks a manifest. What it returns can be relied on: files have plain names, segments tile their
// chunks, parts cover their tensors, lie inside their segments and never overlap.
func parseManifest(raw []byte) (*manifest, error) {
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if head.Format != formatName {
		return nil, corrupt("format is %q, not %q", head.Format, formatName)
	}
	body := raw
	switch head.Version {
	case uncheckedVersion:
	case denseVersion, sparseVersion, FormatVersion:
		var err error
		if body, err = unsealManifest(raw); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("format version %d, this program knows %d to %d: %w", head.Version, uncheckedVersion, FormatVersion, ErrVersion)
	}
	if err := checkKeys(body); err != nil {
		return nil, err
	}
	m := &manifest{}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return m, m.check()
}

// checkWords refuses to run where an int has so few bits that sizes of models, which are products of ints, could overflow.
func checkWords(bits int) error {
	if bits < 64 {
		return fmt.Errorf("weights: processors of %d bits: %w; build for one of 64 bits", bits, ErrUnsupported)
	}
	return nil
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrCorrupt)
}

func (m *manifest) check() error {
	if len(m.Config) == 0 || m.Config[0] != '{' {
		return corrupt("config is not a JSON object")
	}
	if err := m.checkTokenizer(); err != nil {
		return err
	}
	if len(m.Chunks) == 0 {
		return corrupt("no chunks")
	}
	for i := range m.Chunks {
		if err := m.Chunks[i].check(i); err != nil {
			return err
		}
	}
	if err := m.checkTensors(); err != nil {
		return err
	}
	if want := m.leastVersion(); max(m.Version, denseVersion) != want {
		return corrupt("version %d of the format, where %d tables and experts (%v) belong into version %d", m.Version, len(m.tables()), m.hasExperts(), want)
	}
	return nil
}

// leastVersion returns the version of a store with a checksum and these chunks and tensors.
func (m *manifest) leastVersion() int {
	switch {
	case len(m.tables()) > 1:
		return FormatVersion
	case m.hasExperts():
		return sparseVersion
	}
	return denseVersion
}

// tables returns the tensors of which rows are looked up in tiles: those of the first chunk.
func (m *manifest) tables() (tables []*tensorEntry) {
	for i := range m.Tensors {
		if t := &m.Tensors[i]; t.isTable() {
			tables = append(tables, t)
		}
	}
	return tables
}

func (t *tensorEntry) isTable() bool { return t.TileCRC32C != nil }

func (m *manifest) hasExperts() bool {
	for _, c := range m.Chunks {
		for _, s := range c.Segments {
			if s.Expert {
				return true
			}
		}
	}
	return false
}

func (m *manifest) checkTokenizer() error {
	seen := map[string]bool{ManifestName: true, verifiedName: true}
	for _, f := range m.Tokenizer {
		switch {
		case !fs.ValidPath(f.File) || filepath.Base(f.File) != f.File || !filepath.IsLocal(f.File):
			return corrupt("tokenizer file %q is not a plain name", f.File)
		case seen[f.File]:
			return corrupt("tokenizer file %q is listed twice", f.File)
		case f.Size < 0 || !isSHA256(f.SHA256):
			return corrupt("tokenizer file %q has no proper size and sha256", f.File)
		}
		seen[f.File] = true
	}
	return nil
}

func (c *chunkEntry) check(i int) error {
	if want := fmt.Sprintf(chunkPattern, i); c.File != want {
		return corrupt("chunk %d is called %q, not %q", i, c.File, want)
	}
	if !isSHA256(c.SHA256) {
		return corrupt("%s has no proper sha256", c.File)
	}
	end := int64(0)
	for j, s := range c.Segments {
		if s.Offset != end || s.Size <= 0 || s.Size > maxSegment || s.Size%alignment != 0 {
			return corrupt("%s: segment %d at %d, %d bytes long, where one of at most %d bytes belongs at %d", c.File, j, s.Offset, s.Size, maxSegment, end)
		}
		end += int64(s.Size)
	}
	if c.Size != end || end == 0 {
		return corrupt("%s: %d bytes, its segments have %d", c.File, c.Size, end)
	}
	return nil
}

func (m *manifest) checkTensors() error {
	seen := map[string]bool{}
	var last partEnd
	for i := range m.Tensors {
		t := &m.Tensors[i]
		if t.Name == "" || seen[t.Name] {
			return corrupt("tensor name %q is empty or used twice", t.Name)
		}
		seen[t.Name] = true
		if err := t.checkShape(); err != nil {
			return err
		}
		next := 0
		for _, p := range t.Parts {
			if p.Row != next || p.Rows <= 0 || p.Rows > t.Rows-p.Row {
				return corrupt("tensor %s: part with %d rows from %d, expected at row %d of %d", t.Name, p.Rows, p.Row, next, t.Rows)
			}
			next += p.Rows
			if next < t.Rows && next%tensor.TileRows != 0 {
				return corrupt("tensor %s: part ends at row %d, inside a tile", t.Name, next)
			}
			if err := m.checkPlace(t, p, &last); err != nil {
				return err
			}
		}
		if next != t.Rows {
			return corrupt("tensor %s: its parts have %d of %d rows", t.Name, next, t.Rows)
		}
		tiles := 0
		if t.Parts[0].Chunk == 0 {
			tiles = tileCount(t.Rows)
		}
		if len(t.TileCRC32C) != tiles {
			return corrupt("tensor %s: %d tile checksums, but as one of chunk %d it has %d", t.Name, len(t.TileCRC32C), t.Parts[0].Chunk, tiles)
		}
	}
	return nil
}

func (t *tensorEntry) checkShape() error {
	d, err := tensor.ParseDType(t.Type)
	if err != nil {
		return corrupt("tensor %s: type %q", t.Name, t.Type)
	}
	t.dtype = d
	vector := d == tensor.F32 && t.Rows == 1 && !t.isTable()
	if t.Rows <= 0 || t.Rows > maxRows || t.Cols <= 0 || t.Cols > maxCols || t.Cols%d.BlockElems() != 0 || !(tensor.Packable(d) || vector) {
		return corrupt("tensor %s: shape [%d %d] of %s", t.Name, t.Rows, t.Cols, t.Type)
	}
	return nil
}

// partEnd is the end of a part: no later part may begin before it.
type partEnd struct{ chunk, segment, offset int }

// checkPlace checks where part p lies. Parts follow each other in the order of use, so that none can overlap another.
func (m *manifest) checkPlace(t *tensorEntry, p partEntry, last *partEnd) error {
	bad := func(reason string) error {
		return corrupt("tensor %s: part in chunk %d, segment %d at offset %d %s", t.Name, p.Chunk, p.Segment, p.Offset, reason)
	}
	if p.Chunk < 0 || p.Chunk >= len(m.Chunks) || p.Segment < 0 || p.Segment >= len(m.Chunks[p.Chunk].Segments) || p.Offset < 0 {
		return bad("is nowhere in the store")
	}
	size := t.partBytes(p)
	if room := m.Chunks[p.Chunk].Segments[p.Segment].Size - p.Offset; size > room {
		return bad(fmt.Sprintf("is %d bytes long where %d are left", size, room))
	}
	if p.Offset%alignment != 0 {
		return bad(fmt.Sprintf("is not at a multiple of %d", alignment))
	}
	switch {
	case p.Chunk != last.chunk:
		if p.Chunk < last.chunk {
			return bad("comes before the one used earlier")
		}
	case p.Segment < last.segment || p.Segment == last.segment && p.Offset < last.offset:
		return bad("overlaps or comes before the one used earlier")
	}
	*last = partEnd{p.Chunk, p.Segment, p.Offset + size}
	return nil
}

func isSHA256(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 32
}

func tileCount(rows int) int { return (rows + tensor.TileRows - 1) / tensor.TileRows }

func alignUp(n int) int { return (n + alignment - 1) / alignment * alignment }

// tileBytes returns the size of one tile of a matrix.
func (t *tensorEntry) tileBytes() int { return tensor.TileBytes(t.dtype, t.Cols) }
