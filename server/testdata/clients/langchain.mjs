// LangChain's client: tools bound to a model, and a typed answer, which it asks for as a call or as a format.
import assert from "node:assert/strict";
import { ChatOpenAI } from "@langchain/openai";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { z } from "zod";

const [url, apiKey] = process.argv.slice(2);
const model = new ChatOpenAI({ model: "demo", apiKey, configuration: { baseURL: url + "/v1" }, maxRetries: 0, maxTokens: 100 });
const weather = tool(async ({ city }) => `It is warm in ${city}.`, { name: "get_weather", description: "Today's weather.", schema: z.object({ city: z.enum(["Rome", "Oslo"]) }) });

const bound = model.bindTools([weather], { tool_choice: "required", parallel_tool_calls: false });
const question = new HumanMessage("How warm is it in Rome?");
const said = await bound.invoke([question]);
assert.equal(said.tool_calls.length, 1);
assert.ok(["Rome", "Oslo"].includes(said.tool_calls[0].args.city));

let whole;
for await (const chunk of await bound.stream([question])) whole = whole ? whole.concat(chunk) : chunk;
assert.deepEqual(whole.tool_calls.map((c) => c.args), said.tool_calls.map((c) => c.args));

const result = await weather.invoke(said.tool_calls[0]);
assert.ok(result instanceof ToolMessage);
await model.bindTools([weather]).invoke([question, said, result], { max_tokens: 8 });

for (const method of ["functionCalling", "jsonSchema"]) {
  const typed = await model.withStructuredOutput(z.object({ eggs: z.int().min(0).max(100) }), { name: "answer", method }).invoke("How many eggs?");
  assert.ok(Number.isInteger(typed.eggs));
}
console.log("langchain:", JSON.stringify(said.tool_calls[0].args));
