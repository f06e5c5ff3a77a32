// OpenAI's client and the AI SDK with OpenAI's provider, which both use the Responses API: text, formats and calls.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { generateText, streamText, stepCountIs, tool } from "ai";
import { createOpenAI } from "@ai-sdk/openai";
import { z } from "zod";

const [url, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL: url + "/v1", apiKey, maxRetries: 0 });
const tools = [{
  type: "function", name: "get_weather", description: "Today's weather.", strict: true,
  parameters: { type: "object", properties: { city: { type: "string", enum: ["Rome", "Oslo"] } }, required: ["city"], additionalProperties: false },
}];
const input = [{ role: "user", content: "How warm is it in Rome?" }];
const plain = { model: "demo", instructions: "Be brief.", input: "How many eggs?", max_output_tokens: 12, store: false };

const text = await client.responses.create(plain);
assert.ok(text.output_text.length > 0 && ["completed", "incomplete"].includes(text.status));
const final = await client.responses.stream(plain).finalResponse();
assert.equal(final.output_text, text.output_text);
assert.equal(final.usage.output_tokens, text.usage.output_tokens);

const typed = await client.responses.create({
  ...plain, max_output_tokens: 40,
  text: { format: { type: "json_schema", name: "eggs", schema: { type: "object", properties: { eggs: { type: "integer", minimum: 0, maximum: 9 } }, required: ["eggs"], additionalProperties: false } } },
});
assert.ok(Number.isInteger(JSON.parse(typed.output_text).eggs));

const ask = { model: "demo", input, tools, tool_choice: "required", parallel_tool_calls: false, max_output_tokens: 100, store: false };
const whole = await client.responses.create(ask);
const call = whole.output.find((i) => i.type === "function_call");
assert.ok(["Rome", "Oslo"].includes(JSON.parse(call.arguments).city));
let parts = 0;
const stream = client.responses.stream(ask).on("response.function_call_arguments.delta", () => parts++);
assert.equal((await stream.finalResponse()).output.find((i) => i.type === "function_call").arguments, call.arguments);
await client.responses.create({ ...ask, tool_choice: "auto", max_output_tokens: 8, input: [...input, ...whole.output, { type: "function_call_output", call_id: call.call_id, output: "20 degrees" }] });
await assert.rejects(client.responses.create({ ...plain, previous_response_id: "resp_1" }), (e) => e.status === 400 && e.param === "previous_response_id");

const model = createOpenAI({ baseURL: url + "/v1", apiKey })("demo");
const sdk = {
  model, toolChoice: "required", prompt: "How warm is it in Rome?", maxOutputTokens: 100, maxRetries: 0, stopWhen: stepCountIs(1),
  providerOptions: { openai: { store: false, parallelToolCalls: false } },
  tools: { get_weather: tool({ description: "Today's weather.", inputSchema: z.object({ city: z.enum(["Rome", "Oslo"]) }), execute: async () => "20 degrees" }) },
};
const generated = await generateText(sdk);
assert.equal(generated.finishReason, "tool-calls");
const streamed = streamText(sdk);
for await (const part of streamed.fullStream) if (part.type === "error") throw part.error;
assert.deepEqual((await streamed.toolCalls).map((c) => c.input), generated.toolCalls.map((c) => c.input));
await generateText({ ...sdk, toolChoice: "auto", maxOutputTokens: 16, prompt: undefined, messages: [{ role: "user", content: "How warm is it?" }, ...generated.response.messages] });
console.log("responses:", call.arguments, parts, "parts;", JSON.stringify(generated.toolCalls.map((c) => c.input)));
