// Package toolcall lets a model call functions of the program that runs it.
//
// It is a package of its own because it joins what two others know, the tokens and chat templates of package tokenizer and the automata of package
// grammar, and needs no model.
//
//  1. [Tool] describes a function: its name, what it does, and the JSON Schema of its arguments.
//  2. [Syntax] is how a model writes a call. [Find] learns it from the model's chat template, by having it render a conversation with a call in it, so that
//     no list of families is needed.
//  3. [Grammar] is the calls of some tools in a syntax. It may be used by many generations.
//  4. [Constraint] follows one generation: text is free until the model opens a call; then the name is one of the tools', and the arguments satisfy that
//     tool's schema. The fixed parts of a call leave the model no choice, so they cost no pass.
//  5. [Stream] splits what is generated into text and calls, token by token.
//
// # Syntaxes
//
// A call opens with a tag, such as <tool_call> or the control token [TOOL_CALLS], anywhere in an answer; or, where the model's syntax has no tag, as that of
// Llama 3 has none, with the beginning of a JSON object at the beginning of the answer. Then come the name and the arguments, in this order, the latter as
// a JSON object or one by one: as in Python's f(a=1, b="x"), where a call without a tag opens with a bracket and the name of a tool; or in tags of their own,
// as Qwen3-Coder has them. There a value that may be a string is one, written as it is up to the tag that ends it, and other values are JSON. After a call more calls may follow, if the template can render several, but no more text. What a model thinks before it answers, between
// <think> and </think>, is free text in which no call opens.
//
// A model that writes in channels, as gpt-oss does in the format Harmony, calls in the channel commentary, with the function in the header of a message. Its headers are
// restricted to those of thoughts, calls, and messages to the user.
//
// Arguments that are written one by one must have a single list of properties. What its schema says of others is left out, and a tool that is not strict may
// have arguments of the right types where its schema can't be enforced. Strings in quotes of the model's own, and arguments before the name, are refused with
// [ErrUnsupported].
//
// # Errors
//
//   - [ErrUnsupported]: the model's chat template knows no calls, or writes them in a way that is not known here.
//   - Those of [grammar.Vocabulary.JSONSchema] about the schema of a tool.
package toolcall
