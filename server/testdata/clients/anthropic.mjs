// Anthropic's client: text, a call at once and in parts, its result, and errors.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const [url, apiKey] = process.argv.slice(2);
const client = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
const tools = [{
  name: "get_weather", description: "Today's weather.",
  input_schema: { type: "object", properties: { city: { type: "string", enum: ["Rome", "Oslo"] }, days: { type: "integer", minimum: 1, maximum: 7 } }, required: ["city", "days"], additionalProperties: false },
}];
const messages = [{ role: "user", content: "How warm is it in Rome?" }];

const plain = { model: "demo", max_tokens: 12, system: "Be brief.", messages };
const text = await client.messages.create(plain);
assert.equal(text.content[0].type, "text");
assert.ok(["max_tokens", "end_turn"].includes(text.stop_reason) && text.usage.output_tokens > 0);
const { max_tokens, ...prompt } = plain;
assert.equal((await client.messages.countTokens(prompt)).input_tokens, text.usage.input_tokens + text.usage.cache_read_input_tokens);
const streamed = await client.messages.stream(plain).finalMessage();
assert.equal(streamed.content[0].text, text.content[0].text);
assert.equal(streamed.usage.output_tokens, text.usage.output_tokens);

const stop = text.content[0].text.trim().split(/\s+/)[2];
const stopped = await client.messages.create({ ...plain, stop_sequences: ["never there", stop] });
assert.equal(stopped.stop_reason, "stop_sequence");
assert.equal(stopped.stop_sequence, stop);

const ask = { model: "demo", max_tokens: 100, messages, tools, tool_choice: { type: "any", disable_parallel_tool_use: true } };
const whole = await client.messages.create(ask);
assert.equal(whole.stop_reason, "tool_use");
const call = whole.content.find((b) => b.type === "tool_use");
assert.ok(["Rome", "Oslo"].includes(call.input.city) && call.input.days >= 1);
let parts = 0;
const stream = client.messages.stream(ask).on("inputJson", () => parts++);
const final = await stream.finalMessage();
assert.deepEqual(final.content.find((b) => b.type === "tool_use").input, call.input);
assert.ok(parts > 0 && final.stop_reason === "tool_use");

await client.messages.create({
  ...ask, max_tokens: 8, tool_choice: { type: "auto" },
  messages: [...messages, { role: "assistant", content: whole.content }, { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: [{ type: "text", text: "20 degrees" }] }, { type: "text", text: "And?" }] }],
});

const begun = await client.messages.create({ ...plain, messages: [...messages, { role: "assistant", content: "It is" }] });
assert.ok(begun.content[0].text.length > 0 && begun.content[0].text !== text.content[0].text);

await assert.rejects(client.messages.create({ ...plain, model: "other" }), (e) => e instanceof Anthropic.NotFoundError && e.error.error.type === "not_found_error");
await assert.rejects(client.messages.create({ ...plain, messages: [{ role: "user", content: [{ type: "image", source: {} }] }] }), Anthropic.BadRequestError);
await assert.rejects(new Anthropic({ baseURL: url, apiKey: "wrong", maxRetries: 0 }).messages.create(plain), Anthropic.AuthenticationError);
console.log("anthropic:", JSON.stringify(call.input), parts, "parts");
