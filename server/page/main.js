// The page: a conversation, what is written next, and what the server says of itself.
import { answer, reason, request, setKey } from "./api.js";
import { $, button, copy, element, say } from "./dom.js";
import { showList } from "./list.js";
import * as store from "./store.js";
import { drawTree, statistics } from "./tree.js";
import { TurnView } from "./turn.js";

const { settings } = store;
const examples = [
  "Explain in two sentences why the sky is blue.",
  "Janet has 3 ducks, and each lays 2 eggs a day. How many eggs are that in a week?",
  "Write a Go function that reverses a string, with a test.",
];
let conversation = store.newConversation();
let views = []; // of the conversation's turns
let running = null; // {abort, turn, conversation} of the answer under way
let lastTree = null;
let reading = null; // how much of the prompt is read, of the answer under way
let edited = null; // turn whose question is edited
let contextLength = Infinity;

// The newest text is in view until the reader scrolls up.
const log = $("messages");
let following = true;

function look() {
  following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  $("newest").hidden = following;
}

function follow() {
  if (following) log.scrollTop = log.scrollHeight;
}

log.addEventListener("scroll", look);
new ResizeObserver(follow).observe(log); // a keyboard that opens makes it smaller
$("newest").addEventListener("click", () => {
  following = true;
  follow();
});

// open shows a conversation.
function open(next) {
  halt();
  cancelEdit();
  conversation = next;
  history.replaceState(null, "", next.turns.length ? "#" + next.id : location.pathname);
  views = next.turns.map((turn) => new TurnView(turn, acts));
  log.replaceChildren(...views.length ? views.map((v) => v.element) : [welcome()]);
  document.title = next.title ? next.title + " – Lever" : "Lever";
  following = true;
  follow();
}

function begin() {
  open(store.newConversation());
  $("question").focus();
}

function welcome() {
  return element("div", { className: "welcome" }, element("p", { textContent: "Ask something, or try one of these:" }),
    ...examples.map((text) => button(text, () => ask(text))));
}

function keep(c) {
  if (!store.keep(c)) say("This browser does not keep the conversation. If it has no room, delete older ones.");
}

// What the buttons of a turn do.
const acts = {
  begin,
  edit(turn) {
    edited = turn;
    $("editing").hidden = false;
    $("question").value = turn.question;
    $("question").focus();
  },
  retry(turn) {
    halt();
    dropFrom(turn);
    ask(turn.question);
  },
  goOn(turn) {
    if (running) return;
    const next = conversation.turns[conversation.turns.indexOf(turn) + 1];
    if (next) dropFrom(next);
    const before = conversation.turns.slice(0, -1);
    generate(turn, [...messages(before, turn.question), { role: "assistant", content: turn.answer }], { continue_final_message: true });
  },
};

function cancelEdit() {
  if (edited) $("question").value = "";
  edited = null;
  $("editing").hidden = true;
}

// dropFrom forgets a turn and all after it.
function dropFrom(turn) {
  const i = conversation.turns.indexOf(turn);
  for (const v of views.splice(i)) v.element.remove();
  conversation.turns.splice(i);
}

// messages returns what the model is told of a conversation: questions that were answered, and the one that is asked.
function messages(turns, question) {
  const all = settings.system ? [{ role: "system", content: settings.system }] : [];
  for (const t of turns) {
    if (t.answer && t.state !== "failed") all.push({ role: "user", content: t.question }, { role: "assistant", content: t.answer });
  }
  return [...all, { role: "user", content: question }];
}

function ask(question) {
  if (running) return;
  const turn = { question, answer: "", thought: "", drafted: [0] };
  const asked = messages(conversation.turns, question);
  conversation.title ||= question.slice(0, 60);
  conversation.turns.push(turn);
  history.replaceState(null, "", "#" + conversation.id);
  log.querySelector(".welcome")?.remove();
  views.push(new TurnView(turn, acts));
  log.append(views.at(-1).element);
  following = true;
  generate(turn, asked, {});
}

// generate has the model answer the latest turn, or go on with its answer.
async function generate(turn, asked, options) {
  const mine = { abort: new AbortController(), turn, conversation };
  const view = views.at(-1);
  turn.state = "running";
  view.update();
  follow();
  keep(conversation);
  running = mine;
  busy(true);
  let drawn = 0, kept = Date.now(), fault = null;
  const draw = () => {
    drawn = 0;
    look();
    view.update(reading);
    follow();
  };
  reading = null;
  try {
    const sampling = settings.temperature === "" ? {} : { temperature: Number(settings.temperature) };
    for await (const event of answer(asked, { ...sampling, ...options }, mine.abort.signal)) {
      take(turn, event);
      drawn ||= requestAnimationFrame(draw);
      if (Date.now() - kept > 3000) { // a phone may end the page at any time
        keep(mine.conversation);
        kept = Date.now();
      }
    }
  } catch (e) {
    fault = e;
  }
  if (mine.abort.signal.aborted) turn.state = "stopped";
  else if (fault) {
    turn.state = "failed";
    turn.fault = fault.message;
    turn.full = fault.code === "context_length_exceeded";
  } else if (turn.state === "running") turn.state = "complete";
  cancelAnimationFrame(drawn);
  draw();
  if (running === mine) { // no other conversation began
    running = null;
    busy(false);
    say({ complete: "The answer is complete.", cut: "The answer was cut.", stopped: "Stopped.", failed: turn.fault }[turn.state], false);
  }
  if (store.load(mine.conversation.id)) keep(mine.conversation); // unless it was deleted
}

// take takes an event of the stream into a turn.
function take(turn, event) {
  if (event.lever_tree) {
    lastTree = event.lever_tree;
    if (!$("sheet").hidden) drawTree(lastTree);
  }
  if (event.prompt_progress) reading = event.prompt_progress;
  if (event.usage) {
    turn.full = event.usage.total_tokens >= contextLength;
    showStatistics(event.usage);
  }
  for (const { delta, finish_reason } of event.choices) {
    if (finish_reason === "length") turn.state = "cut";
    turn.thought += delta.reasoning_content ?? "";
    const text = delta.content ?? "";
    turn.answer += text;
    const is = delta.lever_drafted ? 1 : 0; // pieces of what was not drafted and what was take turns
    if ((turn.drafted.length - 1) % 2 === is) turn.drafted[turn.drafted.length - 1] += text.length;
    else if (text) turn.drafted.push(text.length);
  }
}

function showStatistics(usage) {
  $("statistics").replaceChildren(...statistics(usage).map(([name, value]) => element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: value }))));
}

function busy(is) {
  document.body.dataset.state = is ? "busy" : "ready";
  log.ariaBusy = String(is); // screen readers wait for the whole answer
  $("send").hidden = is;
  $("stop").hidden = !is;
}

// halt ends the answer under way.
function halt() {
  if (!running) return;
  running.abort.abort();
  running.turn.state = "stopped";
  running = null;
  busy(false);
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question || running) return;
  if (edited) dropFrom(edited);
  cancelEdit();
  $("question").value = "";
  ask(question);
});
$("keep").addEventListener("click", cancelEdit);
$("stop").addEventListener("click", () => {
  running?.abort.abort();
  $("question").focus();
});
$("clear").addEventListener("click", begin);

// A keyboard on the screen has no Shift+Enter, so Enter begins a line there.
const touched = matchMedia("(pointer: coarse)");
const setHint = () => { $("question").placeholder = touched.matches ? "Ask something" : "Ask something. Enter sends."; };
touched.addEventListener("change", setHint);
setHint();

let recalled = null; // index of the turn whose question was recalled
$("question").addEventListener("keydown", (event) => {
  const { turns } = conversation, field = $("question");
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !touched.matches) {
    event.preventDefault();
    $("ask").requestSubmit();
    return;
  }
  const shown = recalled !== null && turns[recalled]?.question === field.value;
  if ((event.key !== "ArrowUp" && event.key !== "ArrowDown") || (field.value && !shown)) return;
  const next = (shown ? recalled : turns.length) + (event.key === "ArrowUp" ? -1 : 1);
  if (next < 0 || !turns.length) return;
  event.preventDefault();
  recalled = next < turns.length ? next : null;
  field.value = turns[next]?.question ?? "";
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (running) running.abort.abort();
  else if (edited) cancelEdit();
  else if (!$("sheet").hidden) showSheet(false);
});

function showSheet(is) {
  $("sheet").hidden = !is;
  $("open-sheet").ariaExpanded = String(is);
  if (is && lastTree) drawTree(lastTree);
  (is ? $("close-sheet") : $("open-sheet")).focus();
}
$("open-sheet").addEventListener("click", () => showSheet($("sheet").hidden));
$("close-sheet").addEventListener("click", () => showSheet(false));
$("tint").addEventListener("change", () => {
  store.setSetting("tint", $("tint").checked);
  for (const v of views) v.update();
});
$("tint").checked = settings.tint;

$("open-list").addEventListener("click", () => showList(conversation.id, (id) => { if (id !== conversation.id) open(store.load(id) ?? store.newConversation()); }, (id, changed) => {
  if (id !== conversation.id) return;
  if (changed) document.title = (conversation.title = changed.title) + " – Lever";
  else open(store.newConversation());
}));
for (const name of ["system", "temperature"]) {
  $(name).value = settings[name];
  $(name).addEventListener("change", () => { if ($(name).reportValidity()) store.setSetting(name, $(name).value.trim()); });
}
$("open-settings").addEventListener("click", () => $("settings").showModal());
$("forget").addEventListener("click", () => setKey(""));
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.target.id !== "key-form") dialog.close();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog && dialog.id !== "key-dialog") dialog.close(); }); // beside it
}
log.addEventListener("click", (event) => {
  if (event.target.matches("button.copy")) copy(event.target.closest(".code").querySelector("pre").textContent);
});
addEventListener("pagehide", () => { if (running) store.keep(running.conversation); });

async function showModel() {
  const response = await request("/v1/models");
  if (!response.ok) throw await reason(response);
  const [model] = (await response.json()).data;
  $("model").textContent = model.id;
  contextLength = model.context_length;
}

busy(false);
// A link can bring a question along, which the user may send: /?ask=Why+is+the+sky+blue
const brought = new URLSearchParams(location.search).get("ask") ?? "";
open(store.load(location.hash.slice(1)) ?? store.newConversation());
$("question").value = brought;
showModel().catch((e) => say(e.message));
