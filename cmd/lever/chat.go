package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/spf13/cobra"
)

func newChatCommand() *cobra.Command {
	var flags modelFlags
	var system string
	var colour bool
	cmd := &cobra.Command{
		Use:   "chat",
		Short: "Talk with a model in the terminal",
		Long: `Talk with a model. Enter sends a message; a line that ends in \ goes on, and so does all between two lines of """. Lines that are pasted
together are one message, which can be edited and is sent with Enter. Ctrl-C stops an answer, Ctrl-D or /exit ends the chat; /help lists the
other commands, and Tab completes them. Where standard input is no terminal, every line is a message.

Without --model a pair of tiny demo models, embedded in this program, answers. They have the right shape and the wrong facts.`,
		Example: `  lever chat
  lever chat --model qwen-8b.lever --draft qwen-0.6b.lever --dram 2GiB --temperature 0.6 --top-p 0.95 --color-drafted
  printf 'Name a fruit.\nAnother one.\n' | lever chat`,
		Args: cli.ExactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			return runChat(cmd.Context(), flags, system, colour)
		},
	}
	flags.register(cmd.Flags())
	flags.maxTokens = 0
	limit := cmd.Flags().Lookup("max-tokens")
	limit.DefValue, limit.Usage = "0", "most tokens of an answer; 0: until the model stops"
	cmd.Flags().StringVar(&system, "system", "", "instructions that come before the conversation")
	cmd.Flags().BoolVar(&colour, "color-drafted", false, "show in green what was drafted and accepted")
	return cmd
}

// chat is a conversation.
type chat struct {
	engine   *lever.Engine
	flags    modelFlags
	request  lever.Request // without messages
	policy   string
	input    *chatInput
	next     string // a message to answer before another one is read
	edited   bool   // what comes next takes the place of the last question
	messages []tokenizer.Message
	view     *chatView
	notes    io.Writer // what is not of the conversation
	noted    bool      // that a built-in chat template is used
	last     *runOutput
	total    struct {
		tokens, first, passes int // first: of the tokens, those of prefill
		seconds               float64
	}
}

// chatNote is what a chat leaves in a session file.
type chatNote struct {
	Kind     string              `json:"kind"` // chatKind
	Messages []tokenizer.Message `json:"messages"`
}

const chatKind = "lever chat"

func runChat(ctx context.Context, flags modelFlags, system string, colour bool) (err error) {
	c := &chat{flags: flags, view: newChatView(os.Stdout, colour), notes: cli.Stderr}
	if err := c.open(ctx); err != nil {
		return cli.Interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.describe(); err != nil {
		return err
	}
	c.setSystem(system)
	// From here on an interrupt concerns the answer, so the one that has been set up for the whole program must not count.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM)
	defer stop()
	if c.input, err = newChatInput(); err != nil {
		return err
	}
	defer c.input.Close()
	if c.input.shell != nil {
		fmt.Fprintln(c.notes, "Enter sends, Ctrl-C stops an answer, Ctrl-D ends the chat; /help and Tab show what else there is.")
	}
	return c.run(ctx)
}

// open opens the models that the flags name.
func (c *chat) open(ctx context.Context) error {
	engine, err := c.flags.open(ctx, cli.NewProgress(os.Stderr))
	if err != nil {
		return err
	}
	if c.request, c.policy, err = c.flags.request(engine); err != nil {
		return errors.Join(err, engine.Close())
	}
	c.engine = engine
	return nil
}

func (c *chat) close() error {
	if c.engine == nil {
		return nil
	}
	return c.engine.Close()
}

// run reads messages and commands until there are no more.
func (c *chat) run(ctx context.Context) error {
	for {
		text, err := c.input.Read(ctx)
		switch {
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return nil
		case errors.Is(err, errNewPrompt):
			c.edited = false
			fmt.Fprintln(c.notes, "(Ctrl-D or /exit ends the chat)")
			continue
		case err != nil:
			return err
		}
		switch text = strings.TrimSpace(text); {
		case text == "":
			c.edited = false
		case c.isCommand(text):
			if !c.command(ctx, text) {
				return nil
			}
			if c.engine == nil {
				return errors.New("no model is open any more")
			}
		default:
			c.next = text
		}
		if text, c.next = c.next, ""; text == "" {
			continue
		}
		if c.edited {
			c.takeBack()
		}
		if err := c.answer(ctx, text); err != nil {
			return err
		}
	}
}

// answer sends a message and shows what comes back. Its error ends the chat; one that the user can do something about is only shown.
func (c *chat) answer(ctx context.Context, text string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	request := c.request
	request.Messages = append(c.messages, tokenizer.Message{Role: "user", Content: text})
	prompt, err := c.engine.Prepare(ctx, &request)
	switch {
	case errors.Is(err, spec.ErrPromptTooLong):
		fmt.Fprintf(c.notes, "lever: the conversation and this message are too long: %s\n", cli.ErrorText(err))
		if !errors.Is(err, lever.ErrContextLimit) {
			fmt.Fprintln(c.notes, "--context makes room for more tokens, where memory allows it.")
		}
		fmt.Fprintln(c.notes, "/clear begins a new conversation.")
		return nil
	case err != nil:
		fmt.Fprintf(c.notes, "lever: %s\n", cli.ErrorText(err))
		return nil
	}
	if !c.noted {
		noteTemplate(c.notes, prompt.Fallback)
		c.noted = prompt.Fallback != nil
	}
	c.view.begin(prompt)
	request.Piece = c.view.piece
	result, err := c.engine.Generate(ctx, request, nil)
	thought, answer, viewErr := c.view.end()
	if viewErr != nil {
		return viewErr // nobody sees the answers
	}
	switch {
	case err != nil && ctx.Err() == nil:
		return err
	case err != nil:
		fmt.Fprintln(c.notes, "(stopped)")
	default:
		printCut(c.notes, c.engine, result)
		if result.Finish == spec.FinishContext {
			fmt.Fprintln(c.notes, "(/clear begins a new conversation)")
		}
	}
	c.messages = append(request.Messages, tokenizer.Message{Role: "assistant", Content: answer, Reasoning: thought})
	c.last = &runOutput{Result: result, Policy: c.policy}
	c.total.tokens += result.Tokens
	c.total.first += result.First
	c.total.passes += result.Passes
	c.total.seconds += result.Seconds
	return nil
}

// setSystem begins a new conversation under these instructions.
func (c *chat) setSystem(text string) {
	c.messages = nil
	if text != "" {
		c.messages = []tokenizer.Message{{Role: "system", Content: text}}
	}
}

// chatCommand is what a line that begins with a slash can say.
type chatCommand struct {
	name, argument, help string
	takesFile            bool
	run                  func(ctx context.Context, argument string) error // nil ends the chat
}

func (c *chat) commands() []chatCommand {
	return []chatCommand{
		{"/retry", "", "answer the last message again", false, c.retry},
		{"/edit", "[TEXT]", "change the last message, and answer it anew", false, c.edit},
		{"/system", "[TEXT]", "begin a new conversation under these instructions", false, c.system},
		{"/clear", "", "begin a new conversation", false, c.clear},
		{"/model", "[PATH [DRAFT]]", "say which model this is, or go on with another", true, c.changeModel},
		{"/stats", "", "what the latest answer and all answers took", false, c.stats},
		{"/save", "FILE", "keep the conversation, with what the models have computed of it", true, c.save},
		{"/load", "FILE", "go on with a conversation that was kept", true, c.load},
		{"/help", "", "this list", false, c.help},
		{"/exit", "", "end the chat", false, nil},
	}
}

// isCommand reports whether a text is a command, and not a message that begins with a path or holds several lines.
func (c *chat) isCommand(text string) bool {
	name, rest, _ := strings.Cut(text, " ")
	known := slices.ContainsFunc(c.commands(), func(command chatCommand) bool { return command.name == name })
	return known || strings.HasPrefix(name, "/") && !strings.ContainsAny(name[1:]+rest, "/\n")
}

// command does what a line says and reports whether the chat goes on.
func (c *chat) command(ctx context.Context, line string) bool {
	name, argument, _ := strings.Cut(line, " ")
	argument = strings.TrimSpace(argument)
	for _, command := range c.commands() {
		if command.name != name && !(name == "/quit" && command.name == "/exit") {
			continue
		}
		if command.run == nil {
			return false
		}
		err := fmt.Errorf("write %s %s", name, command.argument)
		if strings.HasPrefix(command.argument, "[") || (argument != "") == (command.argument != "") {
			err = command.run(ctx, argument)
		}
		if err != nil {
			fmt.Fprintf(c.notes, "lever: %s\n", cli.ErrorText(err))
		}
		return true
	}
	fmt.Fprintf(c.notes, "lever: there is no command %s; /help lists them\n", name)
	return true
}

func (c *chat) help(context.Context, string) error {
	for _, command := range c.commands() {
		fmt.Fprintf(c.notes, "%-21s %s\n", command.name+" "+command.argument, command.help)
	}
	return nil
}

func (c *chat) stats(context.Context, string) error {
	if c.last == nil {
		return errors.New("there has been no answer yet")
	}
	printStatistics(*c.last)
	fmt.Fprintf(c.notes, "%d of %s were still held; all answers: %s in %.2f s, %.2f tokens a pass\n",
		c.last.ReusedTokens, plural.Of(c.last.PromptTokens, "prompt token"), plural.Of(c.total.tokens, "token"), c.total.seconds, float64(c.total.tokens-c.total.first)/float64(max(c.total.passes, 1)))
	return nil
}

// takeBack takes the last question and its answer out of the conversation, and returns the question; empty if there is none.
func (c *chat) takeBack() string {
	c.edited = false
	for i := len(c.messages) - 1; i >= 0; i-- {
		if m := c.messages[i]; m.Role == "user" {
			c.messages = c.messages[:i]
			return m.Content
		}
	}
	return ""
}

var errNothingAsked = errors.New("nothing has been asked yet")

func (c *chat) retry(context.Context, string) error {
	if c.next = c.takeBack(); c.next == "" {
		return errNothingAsked
	}
	c.request.Sampling.Seed++ // else the answer would be the same
	if c.request.Sampling.Temperature == 0 {
		fmt.Fprintln(c.notes, "(without --temperature the answer is the same)")
	}
	return nil
}

func (c *chat) edit(_ context.Context, text string) error {
	messages := c.messages
	last := c.takeBack()
	switch c.messages, c.edited = messages, last != ""; {
	case last == "":
		return errNothingAsked
	case text != "":
		c.next = text
	case c.input.shell == nil:
		c.edited = false
		return errors.New("write /edit TEXT")
	default:
		c.input.draft = last
	}
	return nil
}

// changeModel has another model go on with the conversation; without one it says which there is.
func (c *chat) changeModel(ctx context.Context, paths string) error {
	if paths == "" {
		return c.describe()
	}
	before := c.flags
	c.flags.model, c.flags.draft, _ = strings.Cut(paths, " ")
	c.flags.draft = strings.TrimSpace(c.flags.draft)
	for _, path := range strings.Fields(paths) {
		if _, err := os.Stat(path); err != nil { // before what there is is given up
			c.flags = before
			return err
		}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	if err := c.close(); err != nil { // there may be no memory for both
		return err
	}
	c.engine, c.noted, c.last = nil, false, nil
	err := c.open(ctx)
	if err == nil {
		return c.describe()
	}
	c.flags = before
	if again := c.open(context.WithoutCancel(ctx)); again != nil {
		return errors.Join(err, again)
	}
	return fmt.Errorf("%w; the chat goes on with %s", err, modelName(c.flags.model))
}

// describe says which models there are and how they use memory.
func (c *chat) describe() error {
	draft := ""
	if c.engine.HasDraft() && c.flags.draft != "" {
		draft = ", with drafts of " + modelName(c.flags.draft)
	}
	fmt.Fprintf(c.notes, "This is %s%s: up to %s of conversation", modelName(c.flags.model), draft, plural.Of(c.engine.Context(), "token"))
	if _, streamed := c.engine.Plan(); !streamed {
		fmt.Fprintln(c.notes, ", all weights in memory.")
		return nil
	}
	fmt.Fprintln(c.notes, ".")
	return printMemory(cli.Stderr, c.engine)
}

func (c *chat) clear(ctx context.Context, _ string) error {
	system := ""
	if len(c.messages) > 0 && c.messages[0].Role == "system" {
		system = c.messages[0].Content
	}
	return c.system(ctx, system)
}

func (c *chat) system(_ context.Context, text string) error {
	c.setSystem(text)
	if text == "" {
		fmt.Fprintln(c.notes, "(a new conversation begins)")
	} else {
		fmt.Fprintln(c.notes, "(a new conversation begins, with instructions)")
	}
	return nil
}

func (c *chat) save(_ context.Context, file string) error {
	note, err := json.Marshal(chatNote{chatKind, c.messages})
	if err != nil {
		return err
	}
	if err := c.engine.SaveSession(file, note); err != nil {
		return err
	}
	fmt.Fprintf(c.notes, "(kept in %s)\n", file)
	return nil
}

func (c *chat) load(_ context.Context, file string) error {
	text, err := c.engine.LoadSession(file)
	foreign := errors.Is(err, lever.ErrSessionForeign)
	if err != nil && !foreign {
		return err
	}
	var note chatNote
	if jsonErr := json.Unmarshal(text, &note); jsonErr != nil || note.Kind != chatKind {
		return fmt.Errorf("load session %s: it holds no chat", file)
	}
	if foreign {
		fmt.Fprintf(c.notes, "(%s: the conversation will be read anew)\n", cli.ErrorText(err))
	}
	c.messages = note.Messages
	for _, m := range c.messages {
		fmt.Fprintf(c.notes, "%s: %s\n", cmp.Or(m.Role, "?"), m.Content)
	}
	return nil
}
