package spec

import (
	"slices"
	"strings"
)

// output turns tokens into text and finds the end of a generation.
type output struct {
	maxTokens  int
	stopTokens []int32
	decoder    TextDecoder
	matcher    stopMatcher
	text       strings.Builder // all that was shown
	emit       func(Piece) error
	tokens     int
	drafted    int    // bytes that were fit to be shown before the latest token
	finish     Finish // empty while the text goes on
	cut        bool   // a stop string was found: no text follows
}

func (o *output) reset(req Request, emit func(Piece) error) {
	o.emit = emit
	o.maxTokens, o.stopTokens, o.decoder = req.MaxTokens, req.StopTokens, req.TextDecoder
	o.matcher.reset(req.StopStrings)
	o.text.Reset()
	o.tokens, o.finish, o.cut = 0, "", false
}

// left returns how many tokens may follow; a negative number means that any number may.
func (o *output) left() int {
	if o.maxTokens == 0 {
		return -1
	}
	return o.maxTokens - o.tokens
}

// take adds a token, and sets finish if it is the last.
func (o *output) take(token int32) {
	o.tokens++
	o.drafted = len(o.matcher.shown)
	if slices.Contains(o.stopTokens, token) {
		o.finish = FinishStop
		return
	}
	if o.decoder != nil && o.matcher.push(o.decoder.Next(token)) {
		o.finish, o.cut = FinishStop, true
		return
	}
	if o.left() == 0 {
		o.finish = FinishLength
	}
}

// send emits tokens together with the text that has become fit to be shown, if there is either. After an error of emit it
// is not called again.
func (o *output) send(tokens []int32) error {
	piece := Piece{tokens, string(o.matcher.shown), o.drafted}
	o.matcher.shown, o.drafted = o.matcher.shown[:0], 0
	o.text.WriteString(piece.Text)
	if o.emit == nil || len(tokens) == 0 && piece.Text == "" {
		return nil
	}
	err := o.emit(piece)
	if err != nil {
		o.emit = nil
	}
	return err
}

// close sends the text that was held back, unless a stop string ended the text before it.
func (o *output) close() error {
	if o.decoder == nil || o.cut {
		return nil
	}
	if o.matcher.push(o.decoder.Flush()) {
		o.finish = FinishStop
	} else {
		o.matcher.release()
	}
	return o.send(nil)
}
