// Package demo holds the embedded pair of demo models, as flash stores: a target of 14 million parameters and a draft of 2
// million, trained for this project on grade-school maths, Python and Go. They are toys that make every part of the program
// run, offline and with no download.
package demo

import (
	"context"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/weights"
	"github.com/minio/sha256-simd"
)

//go:generate go run ../../cmd/lever convert --overwrite --type q8_0 ../../../shared/models/lever-tiny-llama/target stores/target.lever
//go:generate go run ../../cmd/lever convert --overwrite --type q8_0 ../../../shared/models/lever-tiny-llama/draft stores/draft.lever
//go:generate sh -c "go run ../../cmd/lever-distill --model stores/target.lever --draft stores/draft.lever --text $(go env GOROOT)/src/net --text $(go env GOROOT)/src/strings --text /usr/lib/python3.11 --work $(mktemp -d)"

//go:embed all:stores
var stores embed.FS

// Pair is where the two stores lie.
type Pair struct{ Target, Draft string }

// Unpack puts the stores below dir, unless they are there already and good, and returns their paths; see [weights.Unpack].
func Unpack(ctx context.Context, dir string) (Pair, error) {
	digest, err := digest()
	if err != nil {
		return Pair{}, err
	}
	publish.Clean(dir)
	final := filepath.Join(dir, "demo-"+digest)
	pair := Pair{filepath.Join(final, "target.lever"), filepath.Join(final, "draft.lever")}
	for _, path := range []string{pair.Target, pair.Draft} {
		store, err := fs.Sub(stores, "stores/"+filepath.Base(path))
		if err == nil {
			err = weights.Unpack(ctx, store, path)
		}
		if err != nil {
			return Pair{}, fmt.Errorf("unpack the demo models: %w", err)
		}
	}
	return pair, nil
}

// digest identifies the embedded stores: their manifests hold the checksums of all else but the predictors.
func digest() (string, error) {
	names, err := fs.Glob(stores, "stores/target.lever/predictor-*.bin")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range append(names, "stores/target.lever/lever.json", "stores/draft.lever/lever.json") {
		content, err := stores.ReadFile(name)
		if err != nil {
			return "", err
		}
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}
