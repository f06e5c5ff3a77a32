// Ollama's client: models, text, thoughts, formats and calls.
import assert from "node:assert/strict";
import { Ollama } from "ollama";

const [url, apiKey] = process.argv.slice(2);
const client = new Ollama({ host: url, headers: { Authorization: "Bearer " + apiKey } });
const name = (await client.list()).models[0].name;
assert.equal(name, "demo");
assert.ok((await client.show({ model: "demo:latest" })).capabilities.includes("tools"));
const [running] = (await client.ps()).models;
assert.ok(running.context_length > 0 && new Date(running.expires_at) > new Date());
assert.ok((await client.version()).version);

const messages = [{ role: "user", content: "How warm is it in Rome?" }];
const options = { num_predict: 12, num_ctx: 512 };
const whole = await client.chat({ model: "demo", messages, options });
assert.ok(whole.done && whole.eval_count > 0 && whole.message.content.length > 0);
let streamed = "";
let last;
for await (const part of await client.chat({ model: "demo", messages, options, stream: true })) {
  streamed += part.message.content;
  last = part;
}
assert.equal(streamed, whole.message.content);
assert.ok(last.done && last.eval_count === whole.eval_count && last.total_duration > 0);

for (const empty of [await client.generate({ model: "demo", keep_alive: "5m" }), await client.chat({ model: "demo" })]) assert.ok(empty.done && empty.done_reason === "load"); // by which clients load a model
const answered = await client.generate({ model: "demo", prompt: "1 + 1 =", raw: true, options });
assert.ok(answered.response.length > 0);
const format = { type: "object", properties: { eggs: { type: "integer", minimum: 0, maximum: 9 } }, required: ["eggs"] };
const typed = await client.chat({ model: "demo", messages, format, options: { num_predict: 40 } });
assert.ok(Number.isInteger(JSON.parse(typed.message.content).eggs));

const tools = [{ type: "function", function: { name: "get_weather", description: "Today's weather.", parameters: { type: "object", properties: { city: { type: "string", enum: ["Rome", "Oslo"] } }, required: ["city"] } } }];
const withTools = await client.chat({ model: "demo", messages, tools, options });
let parts = "";
for await (const part of await client.chat({ model: "demo", messages, tools, options, stream: true })) parts += part.message.content + JSON.stringify(part.message.tool_calls ?? "");
assert.equal(parts.replaceAll('""', ""), withTools.message.content + JSON.stringify(withTools.message.tool_calls ?? "").replaceAll('""', ""));

const begun = [...messages, { role: "assistant", content: "It is" }];
const continued = await client.chat({ model: "demo", messages: begun, options: { ...options, repeat_penalty: 1.2 } });
assert.ok(continued.message.content.length > 0);
const { embeddings } = await client.embed({ model: "demo", input: ["one", "two"] });
const { embedding } = await client.embeddings({ model: "demo", prompt: "two" });
assert.deepEqual(embeddings[1], embedding);
await client.chat({
  model: "demo", tools, options,
  messages: [...messages, { role: "assistant", content: "", tool_calls: [{ function: { name: "get_weather", arguments: { city: "Rome" } } }] }, { role: "tool", tool_name: "get_weather", content: "20 degrees" }],
});
await assert.rejects(client.chat({ model: "other", messages }), (e) => e.status_code === 404 && /no model/.test(e.error));
console.log("ollama:", JSON.stringify(whole.message.content));
