// Markdown as models write it, made into elements. No text becomes HTML, and nothing is loaded: pictures are links.
import { element } from "./dom.js";

const deepest = 6; // blocks and spans within others
const fence = /^ {0,3}(`{3,}|~{3,}) *([^`\s]*)[^`]*$/;
const heading = /^ {0,3}(#{1,6}) +(.*?) *#*$/;
const rule = /^ {0,3}([-*_])(?: *\1){2,} *$/;
const quote = /^ {0,3}> ?/;
const item = /^( *)([-*+]|\d{1,9}[.)]) +/;
const delimiters = /^ *\|? *:?-+:? *(?:\| *:?-+:? *)*\|? *$/;

// blocks splits a text into its blocks: {kind, source, ...}. A block does not change when text is added after the next one has begun.
export function blocks(text) {
  const lines = text.split("\n"), found = [];
  for (let i = 0; i < lines.length;) {
    if (!lines[i].trim()) {
      i++;
      continue;
    }
    const [block, end] = blockAt(lines, i);
    found.push({ ...block, source: lines.slice(i, end).join("\n") });
    i = end;
  }
  return found;
}

// blockAt returns the block that begins at a line, and the line after it.
function blockAt(lines, i) {
  let m;
  if ((m = fence.exec(lines[i]))) {
    let end = i + 1;
    while (end < lines.length && !(lines[end].trim().startsWith(m[1]) && !lines[end].trim().replaceAll(m[1][0], ""))) end++;
    const code = lines.slice(i + 1, end).join("\n");
    return [{ kind: "code", language: m[2], code: end < lines.length ? code : code.replace(/\n$/, "") }, end + 1];
  }
  if ((m = heading.exec(lines[i]))) return [{ kind: "heading", level: m[1].length, text: m[2] }, i + 1];
  if (rule.test(lines[i])) return [{ kind: "rule" }, i + 1];
  if (quote.test(lines[i])) {
    const end = after(lines, i, (line) => quote.test(line));
    return [{ kind: "quote", text: lines.slice(i, end).map((line) => line.replace(quote, "")).join("\n") }, end];
  }
  if (item.test(lines[i])) return listAt(lines, i);
  if (lines[i].includes("|") && delimiters.test(lines[i + 1] ?? "") && lines[i + 1].includes("-")) {
    const end = after(lines, i, (line) => line.includes("|"));
    return [{ kind: "table", rows: [lines[i], ...lines.slice(i + 2, end)].map(cells) }, end];
  }
  const end = after(lines, i, (line) => line.trim() && ![fence, heading, rule, quote, item].some((begins) => begins.test(line)));
  return [{ kind: "text", text: lines.slice(i, end).join("\n") }, end];
}

// after returns the first line after i of which something does not hold.
function after(lines, i, holds) {
  let end = i + 1;
  while (end < lines.length && holds(lines[end])) end++;
  return end;
}

const cells = (row) => row.trim().replace(/^\|/, "").replace(/\|$/, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));

// listAt returns a list: items of lines that are indented, or follow without an empty line.
function listAt(lines, i) {
  const [first, indent, mark] = item.exec(lines[i]);
  const ordered = /\d/.test(mark), items = [];
  let width = first.length, end = i;
  for (; end < lines.length; end++) {
    const line = lines[end], m = item.exec(line), blank = !lines[end - 1]?.trim();
    if (!line.trim()) {
      if (items.length) items.at(-1).push("");
    } else if (m && m[1].length <= indent.length + 1 && !rule.test(line)) {
      if (/\d/.test(m[2]) !== ordered) break;
      width = m[0].length;
      items.push([line.slice(width)]);
    } else if (/^ */.exec(line)[0].length > indent.length + 1 || !blank && !fence.test(line) && !heading.test(line) && !rule.test(line)) {
      items.at(-1).push(line.slice(Math.min(width, /^ */.exec(line)[0].length)));
    } else break;
  }
  while (!lines[end - 1].trim()) end--;
  return [{ kind: "list", ordered, start: parseInt(mark) || 1, items: items.map((l) => l.join("\n")) }, end];
}

// render makes the element of a block.
export function render(block, depth = 0) {
  const within = (text) => depth < deepest ? blocks(text).map((b) => render(b, depth + 1)) : [text];
  switch (block.kind) {
    case "code": return code(block);
    case "heading": return element("h" + Math.min(block.level + 1, 6), {}, ...spans(block.text));
    case "rule": return element("hr", {});
    case "quote": return element("blockquote", {}, ...within(block.text));
    case "list": {
      const list = element(block.ordered ? "ol" : "ul", {}, ...block.items.map((text) => element("li", {}, ...loose(within(text)))));
      if (block.ordered) list.start = block.start;
      return list;
    }
    case "table": {
      const row = (name, texts) => element("tr", {}, ...texts.map((text) => element(name, {}, ...spans(text))));
      const table = element("table", {}, element("thead", {}, row("th", block.rows[0])), element("tbody", {}, ...block.rows.slice(1).map((r) => row("td", r))));
      return element("div", { className: "wide", tabIndex: 0 }, table);
    }
  }
  return element("p", {}, ...spans(block.text));
}

// loose takes the text of an item out of a paragraph, if the item begins with one.
const loose = (parts) => parts[0]?.tagName === "P" ? [...parts[0].childNodes, ...parts.slice(1)] : parts;

// code makes a block of code; the page does what its button says.
function code(block) {
  const copy = element("button", { type: "button", className: "copy", textContent: "Copy" });
  copy.setAttribute("aria-label", "Copy code");
  return element("div", { className: "code" }, element("div", { className: "bar" }, element("span", { textContent: block.language || "text" }), copy),
    element("pre", { tabIndex: 0 }, element("code", { textContent: block.code })));
}

// span finds what is marked within a text. Lengths are bounded, so that marks that nothing closes take no long time.
const span = new RegExp([
  /\\(?<escaped>[!-/:-@[-`{-~])/,
  /(?<ticks>`+)(?<code>[^`]|[^`][^]{0,2000}?[^`])\k<ticks>(?!`)/,
  /!?\[(?<label>[^[\]]{0,500})\]\((?<target>[^\s()]{1,2000}(?:\([^\s()]{0,500}\)[^\s()]{0,500})?)(?: +"[^"]{0,500}")?\)/,
  /<?(?<url>https?:\/\/[^\s<>"`]{1,2000}[^\s<>"`.,;:!?'*_)\]])>?/,
  /(?<two>\*\*|__|~~)(?=\S)(?<strong>[^]{0,2000}?\S)\k<two>(?!\*)/,
  /(?<![\w*])\*(?![\s*])(?<em>[^]{0,2000}?[^\s*])\*(?!\*)/,
  /(?<![\w_])_(?![\s_])(?<under>[^]{0,2000}?[^\s_])_(?![\w_])/,
].map((r) => r.source).join("|"), "g");

// spans makes the nodes of a text within a block.
export function spans(text, depth = 0) {
  if (depth > deepest) return [text];
  const nodes = [];
  let last = 0;
  for (const m of text.matchAll(span)) {
    nodes.push(text.slice(last, m.index));
    last = m.index + m[0].length;
    const g = m.groups, marked = g.strong ?? g.em ?? g.under;
    if (g.escaped) nodes.push(g.escaped);
    else if (g.code) nodes.push(element("code", { textContent: g.code }));
    else if (g.target) nodes.push(link(g.target, spans(g.label || g.target, depth + 1), m[0]));
    else if (g.url) nodes.push(link(g.url, [g.url], m[0]));
    else nodes.push(element(g.two === "~~" ? "del" : g.two ? "strong" : "em", {}, ...spans(marked, depth + 1)));
  }
  nodes.push(text.slice(last));
  return nodes.filter((n) => n !== "");
}

// link makes a link to another page; what is none stays text.
function link(target, children, source) {
  if (!/^(https?:\/\/|mailto:)/i.test(target)) return source;
  return element("a", { href: target, target: "_blank", rel: "noopener noreferrer" }, ...children);
}
