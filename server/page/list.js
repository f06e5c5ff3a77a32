// The list of conversations that are kept: open, rename, export, delete.
import { $, button, element } from "./dom.js";
import * as store from "./store.js";

// showList opens the list. open is called with the conversation to go on with, changed with one that has another title or, if it is gone, with null and its id.
export function showList(current, open, changed) {
  const rows = store.all().map((c) => rowOf(c, c.id === current, open, changed));
  $("kept").replaceChildren(...rows.length ? rows : [element("li", { className: "note", textContent: "There are none yet." })]);
  $("list").showModal();
}

function rowOf(c, isCurrent, open, changed) {
  const row = element("li", {});
  const named = (text, action) => {
    const b = button(text, action);
    b.ariaLabel = `${text}: ${c.title}`;
    return b;
  };
  const title = button(c.title, () => {
    $("list").close();
    open(c.id);
  });
  title.className = "title";
  if (isCurrent) title.ariaCurrent = "true";
  const rename = named("Rename", () => {
    const field = element("input", { value: c.title, ariaLabel: "Title", maxLength: 100 });
    const end = (taken) => {
      if (!field.isConnected) return;
      if (taken && field.value.trim()) {
        c.title = title.textContent = field.value.trim();
        store.keep(c);
        changed(c.id, c);
      }
      field.replaceWith(title);
      rename.focus();
    };
    field.onkeydown = (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      end(event.key === "Enter");
    };
    field.onblur = () => end(true);
    title.replaceWith(field);
    field.select();
  });
  const remove = named("Delete", () => {
    if (remove.textContent === "Delete") { // the second press does it
      remove.textContent = "Really?";
      remove.ariaLabel = "Really delete: " + c.title;
      return;
    }
    store.forget(c.id);
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector("button") ?? $("list").querySelector("form button")).focus();
    changed(c.id, null);
  });
  row.append(title, element("div", { className: "actions" }, rename, named("Export", () => download(c)), remove));
  return row;
}

function download(c) {
  const url = URL.createObjectURL(new Blob([store.markdown(c)], { type: "text/markdown" }));
  element("a", { href: url, download: (c.title.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 50) || "conversation") + ".md" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
