// OpenAI's client: a call at once and in parts, its result, and what a model thinks beside what it says.
import assert from "node:assert/strict";
import OpenAI from "openai";

const [url, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL: url + "/v1", apiKey, maxRetries: 0 });
const tools = [{
  type: "function",
  function: {
    name: "get_weather", description: "Today's weather.", strict: true,
    parameters: { type: "object", properties: { city: { type: "string", enum: ["Rome", "Oslo"] }, days: { type: "integer", minimum: 1, maximum: 7 } }, required: ["city", "days"], additionalProperties: false },
  },
}];
const messages = [{ role: "user", content: "How warm is it in Rome?" }];
const ask = { model: "demo", messages, tools, tool_choice: "required", parallel_tool_calls: false, max_tokens: 100 };

const whole = await client.chat.completions.create(ask);
const { message, finish_reason } = whole.choices[0];
assert.equal(finish_reason, "tool_calls");
assert.equal(message.tool_calls.length, 1);
const call = message.tool_calls[0];
const given = JSON.parse(call.function.arguments);
assert.ok(["Rome", "Oslo"].includes(given.city) && given.days >= 1 && given.days <= 7);

const runner = client.chat.completions.stream({ ...ask, stream_options: { include_usage: true } });
let parts = 0;
runner.on("tool_calls.function.arguments.delta", () => parts++);
const final = await runner.finalChatCompletion();
assert.equal(final.choices[0].finish_reason, "tool_calls");
assert.equal(final.choices[0].message.tool_calls[0].function.arguments, call.function.arguments);
assert.ok(parts > 0 && final.usage.completion_tokens > 0);

const answered = await client.chat.completions.create({
  ...ask, tool_choice: "auto", max_tokens: 8, messages: [...messages, message, { role: "tool", tool_call_id: call.id, content: "20 degrees" }],
});
assert.ok(["stop", "length", "tool_calls"].includes(answered.choices[0].finish_reason));

const run = client.chat.completions.runTools({
  model: "demo", messages, max_tokens: 60, parallel_tool_calls: false, tool_choice: { type: "function", function: { name: "get_weather" } },
  tools: [{ type: "function", function: { ...tools[0].function, parse: JSON.parse, function: ({ city }) => `It is warm in ${city}.` } }],
});
let called;
run.on("functionToolCall", (c) => (called = c));
await run.done();
assert.equal(called.name, "get_weather");
const choices = await client.chat.completions.create({ model: "demo", messages, n: 3, temperature: 1, max_tokens: 5, seed: 1, logit_bias: { 300: -100 }, presence_penalty: 0.5 });
assert.deepEqual(choices.choices.map((c) => c.index), [0, 1, 2]);
const texts = ["", ""];
for await (const part of await client.completions.create({ model: "demo", prompt: ["one", [300, 301]], echo: true, max_tokens: 4, stream: true })) {
  for (const choice of part.choices) texts[choice.index] += choice.text;
}
assert.ok(texts[0].startsWith("one") && texts[1].length > 0);

// The client asks for base64 and decodes it, unless it is told otherwise.
const packed = await client.embeddings.create({ model: "demo", input: ["one", "two"] });
const plain = await client.embeddings.create({ model: "demo", input: ["one", "two"], encoding_format: "float" });
assert.deepEqual(packed.data.map((d) => Array.from(d.embedding, Math.fround)), plain.data.map((d) => d.embedding.map(Math.fround)));
assert.ok(Math.abs(plain.data[1].embedding.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-4);
console.log("openai:", call.function.name, call.function.arguments, parts, "parts");
