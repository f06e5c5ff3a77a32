package mobile

import (
	"encoding/json"
	"errors"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/tokenizer"
)

// SaveSession keeps the conversation in a file, with the keys and values that were computed of it: worth doing in onStop, since a system may end
// an app in the background without further notice.
func (e *Engine) SaveSession(path string) error {
	_, end, err := e.begin()
	if err != nil {
		return err
	}
	defer end()
	note, err := json.Marshal(e.messages)
	if err != nil {
		return err
	}
	return e.engine.SaveSession(path, note)
}

// LoadSession goes on with a conversation that SaveSession kept. One of other models, or of another version, loses its keys and values and keeps
// its text.
func (e *Engine) LoadSession(path string) error {
	_, end, err := e.begin()
	if err != nil {
		return err
	}
	defer end()
	note, err := e.engine.LoadSession(path)
	if err != nil && !errors.Is(err, lever.ErrSessionForeign) {
		return err
	}
	var messages []tokenizer.Message
	if err := json.Unmarshal(note, &messages); err != nil {
		return err
	}
	e.messages = messages
	return nil
}
