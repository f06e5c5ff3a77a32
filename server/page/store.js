// Conversations and settings, kept in the browser. A conversation has an id, a title, the time of its last change, and turns: a question, and the
// answer with its thought, its state ("running", "complete", "cut", "stopped" or "failed"), and which parts of it were drafted.

const prefix = "lever.conversation.";

// read returns what is kept under a name; null if nothing is, or not by this page.
function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

// write keeps a value and reports whether there was room.
function write(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

export function newConversation() {
  return { id: Date.now().toString(36) + Math.random().toString(36).slice(2, 8), title: "", changed: Date.now(), turns: [] };
}

export function keep(conversation) {
  conversation.changed = Date.now();
  return write(prefix + conversation.id, conversation);
}

export function load(id) {
  const c = read(prefix + id);
  if (!Array.isArray(c?.turns)) return null;
  // Nobody hears the end of an answer that was under way.
  for (const turn of c.turns) if (turn.state === "running") turn.state = "stopped";
  return c;
}

export function forget(id) {
  try { localStorage.removeItem(prefix + id); } catch { /* nothing is kept here */ }
}

// all returns the conversations, those that were changed last first.
export function all() {
  let names = [];
  try { names = Object.keys(localStorage); } catch { /* nothing is kept here */ }
  return names.filter((n) => n.startsWith(prefix)).map((n) => load(n.slice(prefix.length))).filter(Boolean).sort((a, b) => b.changed - a.changed);
}

export const settings = { system: "", temperature: "", tint: false, ...read("lever.settings") };

export function setSetting(name, value) {
  settings[name] = value;
  write("lever.settings", settings);
}

// markdown returns a conversation as a document.
export const markdown = (c) => `# ${c.title}\n` + c.turns.map((t) => `\n## Question\n\n${t.question}\n\n## Answer\n\n${t.answer || "(none)"}\n`).join("");
