// Package server answers OpenAI's HTTP API with a model of this module, for programs that speak that API, and has a small web
// page to chat with.
//
// It is a room of its own so that a program with an engine, not just the command line, can serve it:
//
//	s, err := server.New(server.Options{Engine: engine, Model: "llama-8b"})
//	listener, err := net.Listen("tcp", "127.0.0.1:8080")
//	err = s.Serve(ctx, listener) // until ctx is done
//
// What it serves:
//
//	POST /v1/chat/completions   conversations
//	POST /v1/completions        text that the model continues as it is
//	GET  /v1/models             the one model
//	GET  /healthz               200 while it takes requests, 503 while it shuts down; needs no key
//	GET  /metrics               counters and times in Prometheus' text format
//	GET  /                      the page; needs no key itself, but asks for one
//
// Of the API it knows messages of text, max_tokens and max_completion_tokens, temperature, top_p, stop, seed, stream,
// stream_options, logprobs, top_logprobs, response_format and n = 1; and beyond it top_k, min_p, reasoning_effort "none" or
// chat_template_kwargs {"enable_thinking": false} for a model that thinks, and lever_trees. What it would have to do and can't,
// such as tools, is an error that names the field. What a thinking model thinks is in reasoning_content, beside content; with a
// response_format it does not think. usage has an object speculation, of [spec.Stats]; usage.prompt_tokens_details.cached_tokens
// are those that were not computed again as they began the text before. log-probabilities are those of the model restricted to
// what response_format allows, before temperature and the other steps of sampling.
//
// One request is answered at a time; a bounded number waits, in the order of arrival, and what comes beyond gets status 429 and
// the time after which it may be worth another try. Generation does not wait for readers: what a client has not read yet is
// kept, and a client that reads nothing for a while is dropped. A client that leaves ends its generation.
//
// The server keeps to itself unless told otherwise: on a loopback address it answers only requests that name one, so that no web
// page can reach it by a host name of its own; bodies must be declared as JSON, which keeps other pages' forms out.
//
// # Errors
//
// [New] fails where options are missing or negative, [Server.Serve] with the listener's error. A client gets errors in OpenAI's form, an object
// error with message, type, and, where there is one, param, the field, and code:
//
//	400  a field is wrong, or asks for what can't be done here (code unsupported_parameter); the prompt is too long (context_length_exceeded)
//	401  the API key is missing or wrong (invalid_api_key)
//	403  the request names another host than this one's loopback address
//	404  there is no such page (unknown_url) or model (model_not_found)
//	413  the request is longer than [Options].MaxBody (request_too_large)
//	415  the request is not declared as JSON
//	429  too many wait (queue_full) or are open (too_many_requests); Retry-After says when to try again
//	500  the model failed: [Options].Log is told how, the client is not
//	503  the server is about to end
//
// An error after the first part of a streamed answer comes as an event with such an object.
package server
