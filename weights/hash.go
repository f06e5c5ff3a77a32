package weights

import (
	"encoding/hex"
	"fmt"

	"github.com/lever-go/lever/internal/regular"
	"github.com/minio/sha256-simd"
)

// Hash identifies the content of the store: it is the SHA-256, hexadecimal, of the manifest, which holds the sums of all else.
func (s *Store) Hash() (string, error) {
	text, err := regular.Read(s.path(ManifestName), maxManifest)
	if err != nil {
		return "", fmt.Errorf("weights: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
