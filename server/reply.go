package server

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"

	"github.com/lever-go/lever"
)

// reply writes an answer in the words of an API. A stream is a beginning, parts, and the end of each choice or a failure, each appended to what is sent
// next. Most APIs have one choice.
type reply interface {
	// whole returns the body of a whole answer: all of each choice, with its result.
	whole(choices []piece) any

	kind() string                        // of content
	begin(out []byte, prompt int) []byte // which has so many tokens
	part(out []byte, p piece) []byte
	end(out []byte, choice int, r lever.Result) []byte
	fail(out []byte, e *apiError) []byte
	// busy says that there is nothing to say yet.
	busy(out []byte) []byte
}

// newID returns an id with a prefix that tells its kind.
func newID(prefix string) string {
	var id [12]byte
	rand.Read(id[:]) // never fails
	return prefix + hex.EncodeToString(id[:])
}

// stillAtWork is a comment in a stream of events.
const stillAtWork = ": still at work\n\n"

// appendEvent appends a server-sent event, which may have a name.
func appendEvent(out []byte, name string, v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		return out // there is no such value
	}
	if name != "" {
		out = append(append(append(out, "event: "...), name...), '\n')
	}
	return append(append(append(out, "data: "...), body...), "\n\n"...)
}
