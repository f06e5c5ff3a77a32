// Package server answers the HTTP APIs of OpenAI, Anthropic and Ollama with a model of this module, for programs that speak one of them, and has a small
// web page to chat with.
//
// It is a package of its own so that a program with an engine, not just the command line, can serve it:
//
//	s, err := server.New(server.Options{Engine: engine, Model: "llama-8b"})
//	listener, err := net.Listen("tcp", "127.0.0.1:8080")
//	err = s.Serve(ctx, listener) // until ctx is done
//
// What it serves:
//
//	POST /v1/chat/completions   conversations
//	POST /v1/completions        text that the model continues as it is
//	POST /v1/responses          conversations, in the form of OpenAI's Responses API; nothing is kept
//	POST /v1/messages           conversations, in Anthropic's form; POST /v1/messages/count_tokens says how many tokens a prompt has
//	POST /api/chat              conversations, in Ollama's form
//	POST /api/generate          an answer to one message, in Ollama's form
//	GET  /api/tags, /api/ps, POST /api/show, GET /api/version
//	POST /v1/embeddings         vectors of texts; POST /api/embed, /api/embeddings the same in Ollama's form
//	POST /tokenize, /detokenize tokens of a text and back, as llama.cpp's server has them
//	GET  /v1/models             the one model
//	GET  /healthz               200 while it takes requests, 503 while it shuts down; needs no key
//	GET  /metrics               counters and times in Prometheus' text format
//	GET  /                      the page; needs no key itself, but asks for one
//
// # Fields of requests
//
// Of both kinds of requests it honours model, max_tokens, temperature, top_p, presence_penalty, frequency_penalty, logit_bias, stop, seed, stream,
// stream_options, logprobs, response_format and n, of completions lists of prompts and of tokens, and echo, and of chats messages of text, tools, tool_choice, parallel_tool_calls, calls and their results among the messages, max_completion_tokens,
// top_logprobs and reasoning_effort "none"; beyond OpenAI's API top_k, min_p, repeat_penalty, repetition_penalty, repeat_last_n, continue_final_message,
// chat_template_kwargs {"enable_thinking": false} for a model that thinks, lever_trees, and return_progress. A schema may also stand beside the type in
// response_format, or in a field json_schema or guided_json of its own. Fields that have no influence on the text, such as user and
// metadata, are taken. All others, also those of messages, are refused by their names, unless their value asks for nothing, such as
// typical_p 1: what it does not do it does not pass over.
//
// Of the Responses API it honours model, input of messages, calls, their results and thoughts, instructions, max_output_tokens, temperature, top_p, stream,
// text.format, reasoning.effort none, tools, tool_choice and parallel_tool_calls. Of Anthropic's requests it honours model, max_tokens, system, messages of text, thinking, tool_use and tool_result, stop_sequences, stream, temperature,
// top_p, top_k, thinking, tools and tool_choice, and continues a last message of the assistant. Of Ollama's, which does so too, it honours messages with their calls, prompt, system, raw, tools, format, think, stream, and of
// options num_predict, temperature, top_k, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty, repeat_last_n, seed and stop; a name may end with :latest.
//
// Arguments of calls satisfy the tools' schemas. A schema that can't be enforced is refused if its tool is strict; the arguments of another tool are any
// object then. With tool_choice "none" the model is not told of tools. A model whose chat template knows no calls gets status 400 for tools.
//
// What a thinking model thinks is in reasoning_content, beside content; with a response_format it does not think. With lever_trees a stream has an event lever_tree
// for each pass, and lever_drafted beside text that was drafted and accepted. With return_progress, as llama.cpp's server has it, a stream begins with events
// prompt_progress, which say how many tokens of the first prompt are processed, of a total. usage has an object speculation, of [spec.Stats]; usage.prompt_tokens_details.cached_tokens are those that were not computed again as they began a text before.
// Log-probabilities are those of the model with penalties, restricted to what response_format allows, before temperature and the other steps of sampling, for
// the tokens of the text: where a stop string ends it within a token, that one is spelled as far as the text goes.
//
// # Load
//
// As many requests are answered at once as the engine does at a time; a bounded number waits, in the order of arrival, and what comes beyond gets status 429 and
// the time after which it may be worth another try. A request of more than 16 KiB, or with a format, tools or several choices, is large: it waits as if it had
// come a second later, and half of the places, and one of the answers at once where there are several, are kept for others. A stream has its headers while it waits. Generation does not wait for readers: what a
// client has not read yet is kept, and a client that reads nothing for a while is dropped. A client that leaves ends its work.
//
// Before its turn a request is prepared: its prompt is rendered and encoded, and the grammar of a schema made, once for all requests that
// bring the same. Requests of more than 16 KiB and new schemas are prepared one at a time, with a bounded number waiting, so that others
// feel little of what they take. The grammars that were used last are kept, up to 64 MiB of formats and as much of tools, for ten minutes without use. At most 64
// requests are read at once; the one that has taken longest gives way to another. Up to 256 connections more than [Options].Clients may be open; the
// one that has been silent for longest gives way, too.
//
// # Callers
//
// The server keeps to itself unless told otherwise: on a loopback address it answers only requests that name one, or one of [Options].Hosts,
// so that no web page can reach it by a host name of its own; bodies must be declared as JSON, which keeps other pages' forms out; and
// browsers are told that pages of [Options].Origins may call, and no others.
//
// # Errors
//
// [New] fails where options are missing or negative, [Server.Serve] with the listener's error. A client gets errors in OpenAI's form, an object
// error with message, type, and, where there is one, param, the field with its place such as messages[0].content, and code:
//
//	400  a field is wrong, or asks for what can't be done here (code unsupported_parameter); the prompt is too long (context_length_exceeded)
//	401  the API key is missing or wrong (invalid_api_key)
//	403  the request names another host than this one's loopback address, or is a browser's question for a page that may not call
//	404  there is no such page (unknown_url) or model (model_not_found)
//	408  the request came too slowly (request_timeout)
//	413  the request is longer than [Options].MaxBody (request_too_large)
//	415  the request is not declared as JSON
//	429  too many wait, or wait to be prepared (queue_full), or are open (too_many_requests); Retry-After says when to try again
//	500  the model failed: [Options].Log gets the error, the client does not
//	503  the server is about to end
//
// An error after the first part of a streamed answer comes as an event with such an object.
package server
