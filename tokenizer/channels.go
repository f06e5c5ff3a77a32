package tokenizer

import "strings"

// Control tokens of Harmony, the format in which gpt-oss writes: messages, each in a channel that its header names.
//
//	<|channel|>analysis<|message|>THOUGHT<|end|><|start|>assistant<|channel|>final<|message|>ANSWER<|return|>
const (
	startMessage = "<|start|>"
	channelName  = "<|channel|>"
	messageText  = "<|message|>"
	endMessage   = "<|end|>"
)

// finalChannel begins an answer without a thought.
const finalChannel = channelName + "final" + messageText

// HasChannels reports whether the model writes in channels, as gpt-oss does.
func (t *Tokenizer) HasChannels() bool {
	return t.hasSpecial(startMessage, channelName, messageText, endMessage)
}

// channels makes of an answer in channels the text of a model that thinks between tags.
type channels struct {
	heading bool // in a header, which is no text
	header  strings.Builder
	thinks  bool // in a thought, whose end tag is still to come
	answers bool // after it
}

// control takes in a control token and returns the tag that stands for it.
func (c *channels) control(token string) (tag string) {
	switch token {
	case startMessage, channelName, endMessage:
		c.heading = true
		c.header.Reset()
	case messageText:
		analysis := strings.HasPrefix(c.header.String(), "analysis")
		switch c.heading = false; {
		case analysis && c.thinks: // it goes on
			tag = "\n\n"
		case analysis && !c.answers:
			c.thinks, tag = true, thinkStart+"\n"
		case c.thinks && !analysis:
			c.thinks, c.answers, tag = false, true, "\n"+thinkEnd+"\n\n"
		}
	}
	return tag
}

// word takes in the text of another token and returns what of it is no header.
func (c *channels) word(text string) string {
	if !c.heading {
		c.answers = c.answers || !c.thinks
		return text
	}
	c.header.WriteString(text)
	return ""
}

// addEndsOfChannels adds the tokens that end a turn in channels, which is not what ends a message: a turn may have several.
func (t *Tokenizer) addEndsOfChannels() {
	for _, name := range []string{"<|return|>", "<|call|>"} {
		if id, ok := t.Special(name); ok {
			t.addEOS(id)
		}
	}
}
