// The tree of a pass, drawn.
import { $, svg } from "./dom.js";

const spell = (token) => token.replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll(" ", "·") || "∅";
const box = 24, row = 30, gap = 22, letter = 7.3; // in pixels, of text of 12
const smallest = 0.75; // scale at which the text can still be read

// layout gives each node of a tree its place: depth from left to right, the likeliest branches on top, and after the last accepted node the token that
// the model itself chose.
function layout(tree) {
  const nodes = tree.tokens.map((token, i) => ({ text: spell(token), prob: tree.probs[i], parent: tree.parents[i], children: [], kind: "" }));
  for (const i of tree.accepted) nodes[i].kind = "accepted";
  nodes[0].kind = "root"; // the text's last token
  nodes.push({ text: spell(tree.next), prob: 1, parent: tree.accepted.at(-1), children: [], kind: "next" });
  nodes.forEach((n, i) => {
    if (n.parent >= 0) nodes[n.parent].children.push(i);
    n.label = n.text.length > 12 ? n.text.slice(0, 11) + "…" : n.text;
    n.width = n.label.length * letter + 10;
  });
  const widths = []; // of the columns
  let rows = 0;
  const place = (n, depth) => {
    n.depth = depth;
    widths[depth] = Math.max(widths[depth] ?? 0, n.width);
    if (!n.children.length) n.y = rows++ * row;
    for (const c of n.children) place(nodes[c], depth + 1);
    if (n.children.length) n.y = (nodes[n.children[0]].y + nodes[n.children.at(-1)].y) / 2;
  };
  place(nodes[0], 0);
  const starts = [0];
  widths.forEach((w, i) => starts.push(starts[i] + w + gap));
  for (const n of nodes) n.x = starts[n.depth];
  return { nodes, width: starts.at(-1) - gap + 4, height: rows * row - row + box + 4 };
}

// drawTree draws the tree of the latest pass, as large as there is room for, with its newest nodes in view.
export function drawTree(tree) {
  const { nodes, width, height } = layout(tree), lines = [], boxes = [];
  for (const n of nodes) {
    if (n.parent >= 0) {
      const p = nodes[n.parent], x = p.x + p.width, y = p.y + box / 2, to = n.y + box / 2, middle = (x + n.x) / 2;
      lines.push(svg("path", { class: n.kind, d: `M${x},${y}C${middle},${y} ${middle},${to} ${n.x},${to}`, "stroke-width": 1 + 2.5 * n.prob }));
    }
    const what = { root: " (end of the text)", next: " (the model's own)" }[n.kind] ?? ", probability " + n.prob.toFixed(2);
    boxes.push(svg("g", { class: n.kind, transform: `translate(${n.x},${n.y})` }, svg("title", {}, n.text + what),
      svg("rect", { width: n.width, height: box, rx: 5 }), svg("text", { x: 5, y: 16 }, n.label)));
  }
  const taken = tree.accepted.slice(1).map((i) => nodes[i].text);
  const caption = `${tree.tokens.length - 1} guesses, ${taken.length} accepted, in ${(1000 * tree.seconds).toFixed(0)} ms.`;
  $("caption").textContent = caption + " Accepted ones are filled; the dashed token is the model's own.";
  const view = $("tree"), scale = Math.max(smallest, Math.min(1, view.clientWidth / width));
  const picture = svg("svg", { width: width * scale, height: height * scale, viewBox: `-2 -2 ${width} ${height}`, role: "img" }, ...lines, ...boxes);
  picture.setAttribute("aria-label", `Tree of tokens. Accepted: ${taken.join(" ") || "none"}. The model's own: ${nodes.at(-1).text}.`);
  view.replaceChildren(picture);
  const newest = nodes.at(-1);
  view.scrollTo((newest.x + newest.width) * scale - view.clientWidth + 8, newest.y * scale - view.clientHeight / 2);
}

// statistics returns what an answer took, as names and values.
export function statistics(usage) {
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
  return rows;
}
