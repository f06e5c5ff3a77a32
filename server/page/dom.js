// Elements of the page, and how to make more.

export const $ = (id) => document.getElementById(id);

// element makes an HTML element with properties and children.
export function element(name, properties, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children);
  return e;
}

// button makes a button that does something.
export const button = (text, action) => element("button", { type: "button", textContent: text, onclick: action });

// svg makes an SVG element with attributes and children.
export function svg(name, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

let hiding = 0;

// say has screen readers say a text, and shows it for a while to all if it is not on the page already.
export function say(text, visibly = true) {
  const status = $("status");
  clearTimeout(hiding);
  status.className = visibly ? "" : "unseen";
  status.textContent = text;
  hiding = setTimeout(() => { status.className = "unseen"; }, 5000);
}

// copy puts a text on the clipboard.
export async function copy(text) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text); // only where the connection is encrypted or local
    else copySelected(text);
    say("Copied.");
  } catch {
    say("This browser did not let the page copy.");
  }
}

function copySelected(text) {
  const focused = document.activeElement, area = element("textarea", { value: text, className: "unseen" });
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  if (!copied) throw new Error("not copied");
}
