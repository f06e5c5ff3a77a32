// The AI SDK of Vercel with its provider for compatible servers: tools that run, at once and in parts.
import assert from "node:assert/strict";
import { generateText, streamText, stepCountIs, tool } from "ai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { z } from "zod";

const [url, apiKey] = process.argv.slice(2);
const model = createOpenAICompatible({ name: "lever", baseURL: url + "/v1", apiKey, includeUsage: true }).chatModel("demo");
const seen = [];
const tools = {
  get_weather: tool({
    description: "Today's weather.",
    inputSchema: z.object({ city: z.enum(["Rome", "Oslo"]), days: z.int().min(1).max(7) }),
    execute: async (input) => { seen.push(input); return { degrees: 20 }; },
  }),
};
const ask = { model, tools, toolChoice: "required", prompt: "How warm is it in Rome?", maxOutputTokens: 100, maxRetries: 0, providerOptions: { lever: { parallel_tool_calls: false } }, stopWhen: stepCountIs(1) };

const whole = await generateText(ask);
assert.equal(whole.finishReason, "tool-calls");
assert.ok(whole.toolCalls.length >= 1 && whole.toolResults[0].output.degrees === 20);

const stream = streamText(ask);
let parts = 0;
for await (const part of stream.fullStream) {
  if (part.type === "error") throw part.error;
  if (part.type === "tool-input-delta") parts++;
}
assert.deepEqual((await stream.toolCalls).map((c) => c.input), whole.toolCalls.map((c) => c.input));
assert.ok(parts > 0 && (await stream.usage).outputTokens > 0);

const steps = await generateText({ ...ask, toolChoice: "auto", maxOutputTokens: 8, messages: [{ role: "user", content: "How warm is it?" }, ...whole.response.messages], prompt: undefined });
assert.ok(steps.finishReason);
console.log("ai with openai-compatible:", JSON.stringify(seen), parts, "parts");
