package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/minio/sha256-simd"

	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/tensor"
)

// PredictorVersion is the version of the predictor files that this package writes and reads.
const PredictorVersion = 2

const (
	predictorPattern = "predictor-%02d.bin"
	predictorGlob    = "predictor-[0-9]*.bin"
	predictorMagic   = "LEVERPRD"

	maxPredictor       = 1 << 30 // bytes of a file
	maxPredictorHeader = 1 << 20
	maxBlend           = 100
)

// StoredPredictor is a predictor as a store keeps it. It guesses the model's next token from a hidden state inside it: the logit of token
// c after a row with state h is Out[c] · Down · h/rms(h), and Out[vocabulary] stands for another token than those that are asked for. A store keeps one for each exit layer in a
// file of its own; see the package documentation.
type StoredPredictor struct {
	// Layer is the one whose output the predictor looks at, counted from 0; NormEps is added to the mean of squares in rms.
	Layer   int
	NormEps float32
	// Blend are the weights of the draft's logarithmic chances, of the predictor's own, and the constant for other tokens than candidates.
	Blend [3]float64
	Down  tensor.Packed // [rank][width]
	Out   tensor.Packed // [vocabulary+1][rank], the last row for another token than those that are asked for
	// Training notes where it comes from, for whoever inspects the store.
	Training Training
}

// Training is what is known of how a [StoredPredictor] was made.
type Training struct {
	Samples     int     `json:"samples"`     // tokens that it was trained on
	Choices     int     `json:"choices"`     // of them, those that the target picked from a draft's candidates
	Temperature float64 `json:"temperature"` // of the distillation loss
	Seed        uint64  `json:"seed"`
	Epochs      int     `json:"epochs"`
	HeldOutLoss float64 `json:"held_out_loss"` // on text that it was not trained on
	// Agreement is how often its most probable token was the model's on that text.
	Agreement float64 `json:"agreement"`
}

// predictorHeader is the JSON object at the beginning of a predictor's file.
type predictorHeader struct {
	Model    string     `json:"model"`
	Layer    int        `json:"layer"`
	Width    int        `json:"width"`
	Rank     int        `json:"rank"`
	Vocab    int        `json:"vocab"`
	Type     string     `json:"type"`
	NormEps  float32    `json:"norm_eps"`
	Blend    [3]float64 `json:"trust"`
	Training Training   `json:"training"`
}

// Identity identifies the weights of the store: the SHA-256 of the SHA-256 sums of its chunks, hexadecimal.
func (s *Store) Identity() string {
	sum := sha256.New()
	for _, c := range s.manifest.Chunks {
		sum.Write([]byte(c.SHA256))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Predictors reads the predictors of the store, in the order of their layers; there may be none. Errors wrap [ErrForeign] for one that was
// trained for other weights, [ErrVersion], [ErrCorrupt] or [ErrTruncated], and name the file.
func (s *Store) Predictors() ([]StoredPredictor, error) {
	names, err := fs.Glob(os.DirFS(s.dir), predictorGlob)
	if err != nil {
		return nil, fmt.Errorf("weights: predictors of %s: %w", s.dir, err)
	}
	var all []StoredPredictor
	for _, name := range names {
		path := filepath.Join(s.dir, name)
		p, err := s.readPredictor(path)
		if err != nil {
			return nil, fmt.Errorf("weights: predictor %s: %w", path, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// predictorPath is the file of the predictor after a layer.
func (s *Store) predictorPath(layer int) string {
	return filepath.Join(s.dir, fmt.Sprintf(predictorPattern, layer))
}

func (s *Store) readPredictor(path string) (StoredPredictor, error) {
	content, err := regular.Read(path, maxPredictor)
	if err != nil {
		return StoredPredictor{}, irregular(err)
	}
	p, model, err := parsePredictor(content)
	switch {
	case err != nil:
		return StoredPredictor{}, err
	case model != s.Identity():
		return StoredPredictor{}, fmt.Errorf("%w: train one for this store, or delete the file", ErrForeign)
	case path != s.predictorPath(p.Layer):
		return StoredPredictor{}, corrupt("is the predictor after layer %d", p.Layer)
	}
	return p, nil
}

// WritePredictor adds a predictor to the store, in place of one after the same layer. The file appears whole or not at all.
func (s *Store) WritePredictor(p *StoredPredictor) error {
	content, err := encodePredictor(p, s.Identity())
	if err == nil {
		err = publish.WriteFile(s.predictorPath(p.Layer), content, 0o666)
	}
	if err != nil {
		return fmt.Errorf("weights: write predictor after layer %d of %s: %w", p.Layer, s.dir, err)
	}
	return nil
}

// RemovePredictor takes the predictor after a layer out of the store, if there is one.
func (s *Store) RemovePredictor(layer int) error {
	if err := os.Remove(s.predictorPath(layer)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("weights: remove predictor: %w", err)
	}
	return nil
}

// check reports whether the parts of a predictor fit together.
func (p *StoredPredictor) check() error {
	if err := errors.Join(p.Down.Check(), p.Out.Check()); err != nil {
		return err
	}
	switch {
	case p.Down.Type != tensor.Q8_0 || p.Out.Type != tensor.Q8_0:
		return fmt.Errorf("matrices of %v and %v, not %v: %w", p.Down.Type, p.Out.Type, tensor.Q8_0, ErrUnsupported)
	case p.Out.Cols != p.Down.Rows || p.Out.Rows < 2 || p.Down.Row != 0 || p.Out.Row != 0:
		return corrupt("%d columns for a rank of %d", p.Out.Cols, p.Down.Rows)
	case p.Layer < 0 || p.Layer > maxCols:
		return corrupt("is after layer %d", p.Layer)
	case !(p.NormEps >= 0) || math.IsInf(float64(p.NormEps), 0):
		return corrupt("norm_eps is %v", p.NormEps)
	}
	for _, weight := range p.Blend {
		if math.IsNaN(weight) || math.Abs(weight) > maxBlend {
			return corrupt("blend weights are %v", p.Blend)
		}
	}
	return nil
}

// The file of a predictor: magic, version and the header's length, the header, and, each at the next multiple of alignment, the matrices Down
// and Out in packed form; at the end, the SHA-256 of all this.
const predictorPrefix = len(predictorMagic) + 8

func encodePredictor(p *StoredPredictor, model string) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	header, err := json.Marshal(predictorHeader{
		model, p.Layer, p.Down.Cols, p.Down.Rows, p.Out.Rows - 1, p.Down.Type.String(), p.NormEps, p.Blend, p.Training,
	})
	if err != nil {
		return nil, err
	}
	content := []byte(predictorMagic)
	content = binary.LittleEndian.AppendUint32(content, PredictorVersion)
	content = binary.LittleEndian.AppendUint32(content, uint32(len(header)))
	content = append(content, header...)
	for _, matrix := range [][]byte{p.Down.Data, p.Out.Data} {
		content = append(content, make([]byte, alignUp(len(content))-len(content))...)
		content = append(content, matrix...)
	}
	sum := sha256.Sum256(content)
	return append(content, sum[:]...), nil
}

// parsePredictor is the inverse of encodePredictor. The matrices of the result share memory with content.
func parsePredictor(content []byte) (p StoredPredictor, model string, err error) {
	if len(content) < predictorPrefix+sha256.Size {
		return p, "", ErrTruncated
	}
	if string(content[:len(predictorMagic)]) != predictorMagic {
		return p, "", corrupt("does not begin as a predictor does")
	}
	version := binary.LittleEndian.Uint32(content[len(predictorMagic):])
	if version != PredictorVersion {
		return p, "", fmt.Errorf("version %d, not %d: %w", version, PredictorVersion, ErrVersion)
	}
	size := int(binary.LittleEndian.Uint32(content[len(predictorMagic)+4:]))
	if size > maxPredictorHeader {
		return p, "", corrupt("header of %d bytes", size)
	}
	if len(content) < predictorPrefix+size {
		return p, "", ErrTruncated
	}
	var h predictorHeader
	decoder := json.NewDecoder(bytes.NewReader(content[predictorPrefix:][:size]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&h); err != nil {
		return p, "", corrupt("header: %v", err)
	}
	if h.Width < 1 || h.Width > maxCols || h.Rank < 1 || h.Rank > maxCols || h.Vocab < 1 || h.Vocab > maxRows || h.Type != tensor.Q8_0.String() {
		return p, "", corrupt("matrices [%d][%d] and [%d][%d] of type %q", h.Rank, h.Width, h.Vocab, h.Rank, h.Type)
	}
	p = StoredPredictor{Layer: h.Layer, NormEps: h.NormEps, Blend: h.Blend, Training: h.Training}
	p.Down = tensor.Packed{Type: tensor.Q8_0, Rows: h.Rank, Cols: h.Width}
	p.Out = tensor.Packed{Type: tensor.Q8_0, Rows: h.Vocab + 1, Cols: h.Rank}
	end := predictorPrefix + size
	for _, matrix := range []*tensor.Packed{&p.Down, &p.Out} {
		begin := alignUp(end)
		end = begin + tensor.PackedBytes(matrix.Type, matrix.Rows, matrix.Cols)
		if end < begin || end > maxPredictor || end+sha256.Size > len(content) {
			return StoredPredictor{}, "", ErrTruncated
		}
		matrix.Data = content[begin:end:end]
	}
	if len(content) > end+sha256.Size {
		return StoredPredictor{}, "", corrupt("has more than its %d bytes", end+sha256.Size)
	}
	sum := sha256.Sum256(content[:end])
	if !bytes.Equal(sum[:], content[end:]) {
		return StoredPredictor{}, "", corrupt("sha-256 differs")
	}
	return p, h.Model, p.check()
}
