package weights

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/minio/sha256-simd"
)

// The last member of a manifest is the SHA-256 of all bytes before it, its comma not included.
const (
	checksumMember = `,"checksum":"`
	checksumEnd    = "\"}\n"
	checksumBytes  = len(checksumMember) + 2*sha256.Size + len(checksumEnd)
)

// sealManifest returns the text of a manifest with its checksum.
func sealManifest(m *manifest) ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	body := text[:len(text)-1] // without the closing brace
	return append(body, manifestSeal(body)...), nil
}

// manifestSeal returns the end of the manifest that begins with body.
func manifestSeal(body []byte) string {
	sum := sha256.Sum256(body)
	return checksumMember + hex.EncodeToString(sum[:]) + checksumEnd
}

// unsealManifest checks the checksum of a manifest and returns the JSON object that it is about.
func unsealManifest(raw []byte) ([]byte, error) {
	at := len(raw) - checksumBytes
	if at < 0 || !bytes.HasPrefix(raw[at:], []byte(checksumMember)) {
		return nil, corrupt("the manifest does not end with its checksum")
	}
	body := raw[:at:at]
	if string(raw[at:]) != manifestSeal(body) {
		return nil, corrupt("the manifest is not as it was written: its checksum differs")
	}
	return append(body, '}'), nil
}

// checkKeys refuses what encoding/json reads and others may read otherwise: text after the object, strings that are no UTF-8, keys that
// stand twice in an object, and keys of the manifest in another case. Inside the configuration keys may be any.
func checkKeys(raw []byte) error {
	if !utf8.Valid(raw) {
		return corrupt("is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := checkValue(dec, "", true); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return corrupt("text after the JSON object")
	}
	return nil
}

// checkValue checks the value that follows, which has the name path. Where keys are known ones, they are spelt as here.
func checkValue(dec *json.Decoder, path string, known bool) error {
	token, err := dec.Token()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	switch token {
	case json.Delim('{'):
		err = checkMembers(dec, path, known)
	case json.Delim('['):
		for dec.More() && err == nil {
			err = checkValue(dec, path, known)
		}
	default:
		return nil
	}
	if err == nil {
		_, err = dec.Token()
	}
	return err
}

func checkMembers(dec *json.Decoder, path string, known bool) error {
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		key := token.(string) // the decoder takes nothing else for a key
		name := strings.TrimPrefix(path+"."+key, ".")
		if seen[key] {
			return corrupt("key %q stands twice", name)
		}
		seen[key] = true
		if known && !isPlainKey(key) {
			return corrupt("unknown key %q", name)
		}
		if err := checkValue(dec, name, known && name != "config"); err != nil {
			return err
		}
	}
	return nil
}

// isPlainKey reports whether a key is spelt as those of the manifest are; encoding/json takes "Rows" for "rows".
func isPlainKey(key string) bool {
	return !strings.ContainsFunc(key, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}
