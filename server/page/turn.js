// A question and its answer, shown.
import { blocks, render } from "./markdown.js";
import { button, copy, element } from "./dom.js";
import { settings } from "./store.js";

// states say what is to be known of an answer, beside the text.
const states = {
  cut: "The answer was cut: the limit of tokens is reached.",
  stopped: "Stopped.",
};

// TurnView shows a turn. act has what its buttons do: edit, retry, goOn and begin, each called with the turn.
export class TurnView {
  constructor(turn, act) {
    this.turn = turn;
    this.act = act;
    this.shown = []; // sources of the blocks that are shown
    this.text = element("div", { className: "text" });
    this.thought = element("details", { className: "thought", hidden: true }, element("summary", {}), element("div", {}));
    this.state = element("div", { className: "state" });
    const question = element("div", { className: "message user" }, element("p", { textContent: turn.question }),
      element("div", { className: "actions" }, button("Edit", () => act.edit(turn))));
    const answer = element("div", { className: "message assistant" }, this.thought, this.text, this.state);
    for (const [e, name] of [[question, "You"], [answer, "Answer"]]) {
      e.role = "group";
      e.ariaLabel = name;
    }
    this.element = element("div", { className: "turn" }, question, answer);
    this.update();
  }

  // update shows what the turn has become. While the prompt is read, reading says how much of it is.
  update(reading) {
    const { turn } = this;
    this.thought.hidden = !turn.thought;
    if (turn.thought) {
      this.thought.firstChild.textContent = turn.state === "running" && !turn.answer ? "Thinking…" : "Thoughts";
      this.thought.lastChild.textContent = turn.thought;
    }
    this.updateText();
    if (turn.state !== this.stated) this.updateState();
    if (turn.state === "running") this.state.firstChild.textContent = progress(turn, reading);
  }

  // updateText makes the blocks that have changed anew, so that a selection in the others stays.
  updateText() {
    const { turn, text, shown } = this, tinted = settings.tint;
    const found = blocks(turn.answer);
    let same = 0;
    while (!tinted && !this.tinted && same < shown.length && same < found.length && shown[same] === found[same].source) same++;
    while (text.children.length > same) text.lastChild.remove();
    text.append(...found.slice(same).map((b) => render(b)));
    this.shown = found.map((b) => b.source);
    this.tinted = tinted;
    if (tinted) tint(text, turn.answer, turn.drafted);
  }

  updateState() {
    const { turn, act, state } = this;
    this.stated = turn.state;
    const actions = element("div", { className: "actions" });
    state.replaceChildren();
    if (turn.state === "running") {
      state.append(element("span", { className: "note" }));
      return;
    }
    if (turn.state === "failed") state.append(element("p", { className: "fault", textContent: turn.fault }));
    const note = turn.full && turn.state === "cut" ? "The answer was cut: the conversation is as long as the model can take." : states[turn.state];
    if (note) state.append(element("p", { className: "note", textContent: note }));
    if (turn.state === "failed" || !turn.answer) {
      state.append(element("p", { className: "note", textContent: "This question is not part of the conversation unless you try again." }));
    }
    if (turn.answer) actions.append(button("Copy", () => copy(turn.answer)));
    if (turn.answer && !turn.full && (turn.state === "cut" || turn.state === "stopped")) actions.append(button("Go on", () => act.goOn(turn)));
    if (turn.full) actions.append(button("New conversation", act.begin));
    else actions.append(button("Try again", () => act.retry(turn)));
    state.append(actions);
  }
}

// progress says what an answer under way is at.
function progress(turn, reading) {
  if (turn.answer || turn.thought || !reading || reading.processed >= reading.total) return "Answering…";
  return "Reading what was said: " + Math.floor(100 * reading.processed / reading.total) + " %";
}

// tint marks what was drafted in elements made of a text: pieces are lengths of what was not drafted and what was, in turn. The text of the elements
// is that of the source without its marks, so each character is the next such one of the source.
function tint(root, source, pieces) {
  const drafted = new Uint8Array(source.length);
  let at = 0;
  pieces.forEach((length, i) => drafted.fill(i % 2, at, at += length));
  at = -1;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, (node) => node.parentNode.closest(".bar") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (const node of nodes) {
    const runs = []; // [drafted, text]
    for (const c of node.data.split("")) {
      const next = source.indexOf(c, at + 1);
      if (next >= 0) at = next;
      if (runs.at(-1)?.[0] === drafted[at]) runs.at(-1)[1] += c;
      else runs.push([drafted[at], c]);
    }
    node.replaceWith(...runs.map(([is, text]) => is ? element("span", { className: "drafted", textContent: text }) : text));
  }
}
