// Requests to the server, and the key that they need.
import { $ } from "./dom.js";

const keyName = "lever.key";
let key = "";
try { key = localStorage.getItem(keyName) ?? ""; } catch { /* nothing is kept here */ }

// setKey takes a key for the requests that follow, and keeps it.
export function setKey(value) {
  key = value;
  $("forget").hidden = !key;
  try { key ? localStorage.setItem(keyName, key) : localStorage.removeItem(keyName); } catch { /* nothing is kept here */ }
}

// request sends a request. If the server wants a key, the user is asked for one and the request is sent again.
export async function request(path, options = {}) {
  for (;;) {
    const used = key;
    const headers = { "Content-Type": "application/json" };
    if (used) headers.Authorization = "Bearer " + used;
    const response = await fetch(path, { ...options, headers });
    if (response.status !== 401) return response;
    if (used === key) await askKey(used ? "The server does not take this key." : "");
  }
}

let asked = null; // promise of a key, while the user is asked for it

function askKey(fault) {
  asked ??= new Promise((resolve, reject) => {
    const dialog = $("key-dialog");
    $("key-fault").textContent = fault;
    $("key").value = "";
    $("key-form").onsubmit = (event) => {
      event.preventDefault();
      setKey($("key").value.trim());
      dialog.close("entered");
    };
    $("key-cancel").onclick = () => dialog.close("");
    dialog.onclose = () => {
      asked = null;
      dialog.returnValue === "entered" ? resolve() : reject(new Error("This server answers only with a key."));
      dialog.returnValue = "";
    };
    dialog.showModal();
  });
  return asked;
}

// Refusal is an error that the server tells of.
class Refusal extends Error {
  constructor(error) {
    super(error.message);
    this.code = error.code;
  }
}

// reason returns the error of a response that is none of success.
export async function reason(response) {
  try {
    return new Refusal((await response.json()).error);
  } catch {
    return new Error("The server answered with status " + response.status + ".");
  }
}

// answer yields the events of the answer to a conversation.
export async function* answer(messages, options, signal) {
  const body = { messages, ...options, stream: true, stream_options: { include_usage: true }, lever_trees: true, return_progress: true };
  const response = await request("/v1/chat/completions", { method: "POST", body: JSON.stringify(body), signal });
  if (!response.ok) throw await reason(response);
  let finished = false;
  for await (const event of events(response.body)) {
    if (event.error) throw new Refusal(event.error);
    finished ||= event.choices.some((c) => c.finish_reason);
    yield event;
  }
  if (!finished) throw new Error("The connection ended before the answer did.");
}

// events yields the objects of a stream of server-sent events.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) if (part.startsWith("data: {")) yield JSON.parse(part.slice(6));
  }
}
