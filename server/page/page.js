"use strict";

const $ = (id) => document.getElementById(id);
let conversation = []; // questions that were answered, with their answers; a new one begins with a new array
let running = null; // AbortController of the request under way

function headers() {
  const h = { "Content-Type": "application/json" };
  if ($("key").value) h.Authorization = "Bearer " + $("key").value;
  return h;
}

// element makes an HTML element with a class and text.
function element(name, className, text) {
  const e = document.createElement(name);
  e.className = className;
  e.textContent = text;
  return e;
}

// following tells whether the end of the log is in view, as it is until the user scrolls up.
let following = true;

function look() {
  const log = $("messages");
  following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
}

function follow() {
  if (following) $("messages").scrollTop = $("messages").scrollHeight;
}
$("messages").addEventListener("scroll", look);
new ResizeObserver(follow).observe($("messages")); // a keyboard that opens makes it smaller

// grow changes the log and keeps its end in view if it was.
function grow(change) {
  look();
  change();
  follow();
}

function show(e) {
  grow(() => $("messages").append(e));
  return e;
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
    for (const part of parts) {
      if (part.startsWith("data: {")) yield JSON.parse(part.slice(6));
    }
  }
}

async function ask(question) {
  const mine = new AbortController();
  const said = conversation;
  running = mine;
  busy(true);
  show(element("div", "message user", question)).scrollIntoView();
  const box = show(element("div", "message assistant", ""));
  const thought = element("div", "thought", "");
  const answer = document.createElement("div");
  let content = "", finish = "", fault = "";
  try {
    const response = await fetch("/v1/chat/completions", {
      method: "POST",
      headers: headers(),
      signal: mine.signal,
      body: JSON.stringify({
        messages: [...said, { role: "user", content: question }], stream: true, stream_options: { include_usage: true }, lever_trees: true,
      }),
    });
    if (!response.ok) throw new Error(await reason(response));
    box.append(answer);
    for await (const event of events(response.body)) {
      if (mine.signal.aborted) break;
      if (event.error) throw new Error(event.error.message);
      if (event.lever_tree) drawTree(event.lever_tree);
      if (event.usage) showStatistics(event.usage);
      for (const { delta, finish_reason } of event.choices) {
        if (finish_reason) finish = finish_reason;
        content += delta.content ?? "";
        grow(() => {
          if (delta.reasoning_content && !thought.parentNode) box.prepend(thought);
          thought.append(delta.reasoning_content ?? "");
          answer.append(delta.content ?? "");
        });
      }
    }
    if (!finish && !mine.signal.aborted) throw new Error("The connection ended before the answer did.");
  } catch (e) {
    if (!mine.signal.aborted) fault = e.message;
  }
  if (running !== mine) return; // another conversation began
  running = null;
  busy(false);
  const note = (className, text) => grow(() => box.append(element("div", className, text)));
  if (content && !fault) {
    said.push({ role: "user", content: question }, { role: "assistant", content });
    if (mine.signal.aborted) note("note", "Stopped.");
    else if (finish === "length") note("note", "Cut, as the limit of tokens is reached.");
    return;
  }
  // A question without an answer is not sent with the next one; the user may send it again.
  if (fault) note("fault", fault);
  note("note", "This question is not part of the conversation.");
  if (!$("question").value) $("question").value = question;
}

async function reason(response) {
  if (response.status === 401) $("key-field").hidden = false;
  try {
    return (await response.json()).error.message;
  } catch {
    return "The server answered with status " + response.status + ".";
  }
}

function busy(is) {
  document.body.dataset.state = is ? "busy" : "ready";
  $("send").hidden = is;
  $("stop").hidden = !is;
}

function showStatistics(usage) {
  const s = usage.speculation;
  const rows = [
    ["Tokens per second", s.tokens_per_second.toFixed(1)],
    ["Tokens per pass", s.accepted_per_pass.toFixed(2)],
    ["Tokens, passes", usage.completion_tokens + ", " + s.passes],
    ["Guesses checked", s.verified],
    ["Prompt tokens, known already", usage.prompt_tokens + ", " + s.reused_tokens],
    ["Time to the first token", s.time_to_first_token_seconds.toFixed(2) + " s"],
  ];
  if (s.bytes_read > 0) rows.push(["Read from flash", (s.bytes_read / 2 ** 20).toFixed(0) + " MiB"]);
  $("statistics").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
}

const spell = (token) => token.replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll(" ", "·") || "∅";

// svg makes an SVG element.
function svg(name, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

// drawTree draws the tree of a pass: depth from left to right, the likeliest branches on top, and after the last accepted node the
// token that the model itself chose.
function drawTree(tree) {
  const nodes = tree.tokens.map((token, i) => ({ token, prob: tree.probs[i], parent: tree.parents[i], children: [], kind: "" }));
  for (const i of tree.accepted) nodes[i].kind = "accepted";
  nodes[0].kind = "root"; // the text's last token
  const last = tree.accepted[tree.accepted.length - 1];
  nodes.push({ token: tree.next, prob: 1, parent: last, children: [], kind: "next" });
  nodes.forEach((n, i) => { if (n.parent >= 0) nodes[n.parent].children.push(i); });
  const width = 92, height = 26;
  let rows = 0, depth = 0;
  const place = (i, level) => {
    const n = nodes[i];
    n.x = level * width;
    depth = Math.max(depth, level);
    if (!n.children.length) n.y = rows++ * height;
    for (const c of n.children) place(c, level + 1);
    if (n.children.length) n.y = (nodes[n.children[0]].y + nodes[n.children[n.children.length - 1]].y) / 2;
  };
  place(0, 0);
  const lines = [], boxes = [];
  for (const n of nodes) {
    if (n.parent >= 0) {
      const p = nodes[n.parent];
      const from = [p.x + 72, p.y + 11], to = [n.x, n.y + 11];
      lines.push(svg("path", { class: n.kind, d: `M${from}C${from[0] + 10},${from[1]} ${to[0] - 10},${to[1]} ${to}` }));
    }
    const text = spell(n.token);
    const label = svg("text", { x: 5, y: 15 }, text.length > 9 ? text.slice(0, 8) + "…" : text);
    const what = { root: " (end of the text)", next: " (the model's own)" }[n.kind] ?? ", probability " + n.prob.toFixed(2);
    const title = svg("title", {}, text + what);
    boxes.push(svg("g", { class: n.kind, transform: `translate(${n.x},${n.y})` }, title, svg("rect", { width: 72, height: 22, rx: 4 }), label));
  }
  const w = (depth + 1) * width, h = rows * height;
  $("tree").replaceChildren(svg("svg", { width: w, height: h + 2, viewBox: `-2 -2 ${w} ${h + 2}`, role: "img" }, ...lines, ...boxes));
  $("caption").textContent = `${tree.tokens.length - 1} guesses, ${tree.accepted.length - 1} accepted, in ${(1000 * tree.seconds).toFixed(0)} ms. ` +
    "Accepted ones are filled; the dashed token is the model's own.";
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question || running) return;
  $("question").value = "";
  ask(question);
});
$("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("ask").requestSubmit();
  }
});
$("stop").addEventListener("click", () => running?.abort());
$("clear").addEventListener("click", () => {
  running?.abort();
  running = null;
  busy(false);
  conversation = [];
  $("messages").replaceChildren();
  $("question").focus();
});
$("key").addEventListener("change", showModel);

async function showModel() {
  const response = await fetch("/v1/models", { headers: headers() });
  if (response.ok) $("model").textContent = (await response.json()).data[0].id;
  else await reason(response);
}

const narrow = matchMedia("(max-width: 50rem)"); // as in page.css
const unfold = () => { $("speculation").open = !narrow.matches; };
narrow.addEventListener("change", unfold);

async function begin() {
  unfold();
  busy(false);
  // A link can bring a question along, which the user may send: /?ask=Why+is+the+sky+blue
  $("question").value = new URLSearchParams(location.search).get("ask") ?? "";
  await showModel();
}
begin();
