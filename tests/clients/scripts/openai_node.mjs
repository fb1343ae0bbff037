// What users of the npm package openai do; prints what came as JSON.
import OpenAI from "openai";

const openai = new OpenAI({ apiKey: process.env.OPENAI_API_KEY, maxRetries: 0 });
const found = {};

// the guide, section 6
const res = await openai.chat.completions.create({
  model: "gpt-3.5-turbo",
  messages: [{ role: "user", content: "你好" }],
});
found.first = res.choices[0].message.content;

let text = "";
const stream = await openai.chat.completions.create({
  model: "gpt-4",
  messages: [{ role: "user", content: "Hello" }],
  max_tokens: 8,
  stream: true,
});
for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
found.stream = text;

const tools = [
  {
    type: "function",
    function: {
      name: "get_current_weather",
      description: "Get the current weather of a city",
      parameters: {
        type: "object",
        properties: { location: { type: "string", description: "name of the city" } },
        required: ["location"],
      },
    },
  },
];
const called = await openai.chat.completions.create({
  model: "gpt-4",
  messages: [{ role: "user", content: "What is the weather in Paris?" }],
  tools,
  tool_choice: "required",
});
const call = called.choices[0].message.tool_calls[0];
found.call = [call.function.name, JSON.parse(call.function.arguments)];

const vectors = await openai.embeddings.create({ model: "text-embedding-3-small", input: "a cat" });
found.dimensions = vectors.data[0].embedding.length;
found.models = [];
for await (const model of openai.models.list()) found.models.push(model.id);

try {
  await openai.chat.completions.create({ model: "gpt-99", messages: [{ role: "user", content: "x" }] });
} catch (error) {
  found.error = [error.constructor.name, error.status, error.code, error.param];
}
console.log(JSON.stringify(found));
