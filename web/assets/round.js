// Lines of a round wait in the browser until the server has said that it took them.
"use strict";
const note = document.querySelector("[data-round]"), [waiting, everything, failed] = note.dataset.said.split("|");
const round = note.dataset.round, who = note.dataset.who, to = location.pathname;
const base = new Promise((done, bad) => {
  const ask = indexedDB.open("kakusho-rounds", 1);
  ask.onupgradeneeded = () => ask.result.createObjectStore("lines", { keyPath: "sent" });
  ask.onsuccess = () => done(ask.result);
  ask.onerror = () => bad(ask.error);
});
async function rows(mode, what) {
  const t = (await base).transaction("lines", mode), asked = what(t.objectStore("lines"));
  return new Promise((done, bad) => { t.oncomplete = () => done(asked.result); t.onabort = t.onerror = () => bad(t.error); });
}
const mine = async () => (await rows("readonly", (s) => s.getAll())).filter((x) => x.round === round && x.who === who);
async function say(fault) {
  const left = await mine();
  note.textContent = (left.length ? left.length + waiting + "：" + left.map((x) => x.title).join("、") : everything) + (fault ? " " + failed + fault : "");
  for (const form of document.querySelectorAll("form[data-line]"))
    if (form.elements.subject) form.hidden = left.some((x) => x.subject === form.elements.subject.value && !x.fault);
}
let sending = false;
async function send() {
  if (sending) return;
  sending = true;
  let fault = "", took = 0;
  try {
    for (const x of await mine()) {
      const body = new FormData();
      for (const [name, value] of x.fields) body.append(name, value);
      const r = await fetch(to, { method: "POST", body, redirect: "manual", headers: { Accept: "application/json" } });
      const said = r.headers.get("Content-Type") || "";
      if (r.ok && said.startsWith("application/json")) { await rows("readwrite", (s) => s.delete(x.sent)); took++; continue; }
      fault = x.title + " " + (r.status === 422 && said.startsWith("application/json") ? (await r.json()).faults.join(" ") : r.status || "login");
      if (r.status === 422 || r.status === 409) await rows("readwrite", (s) => s.put({ ...x, fault }));
    }
  } catch { fault = ""; } // no line: it is tried again
  sending = false;
  await say(fault);
  if (took && !fault && !(await mine()).length) location.reload();
}
for (const form of document.querySelectorAll("form[data-line]")) form.addEventListener("submit", async (e) => {
  e.preventDefault();
  const fields = [...new FormData(form)].filter(([name, value]) => name !== "sent" && !(value instanceof File && !value.size));
  const bytes = crypto.getRandomValues(new Uint8Array(12)), sent = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  const subject = form.elements.subject ? form.elements.subject.value : "";
  for (const old of await mine()) if (subject && old.subject === subject) await rows("readwrite", (s) => s.delete(old.sent));
  await rows("readwrite", (s) => s.put({ sent, round, who, subject, title: form.elements.title.value, fields: [...fields, ["sent", sent]] }));
  if (!subject) form.reset();
  for (const b of form.querySelectorAll("button")) b.removeAttribute("aria-busy");
  await say();
  send();
});
addEventListener("online", send);
setInterval(send, 15000);
send();
