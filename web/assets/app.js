// Small comforts; every page works without them.
"use strict";
addEventListener("keydown", (e) => {
  if (e.target.closest("input, textarea, select") || e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "/") { // to the search field
    const q = document.querySelector("input[type=search]");
    if (q) { e.preventDefault(); q.focus(); }
  }
  if (e.key === "j" || e.key === "k") { // down and up the links of the first table
    const links = [...document.querySelectorAll("main table tbody tr :is(a)")].filter((a, i, all) => i === 0 || a.closest("tr") !== all[i - 1].closest("tr"));
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    links[Math.max(0, Math.min(links.length - 1, at + (e.key === "j" ? 1 : -1)))].focus();
  }
});
addEventListener("submit", (e) => {
  const ask = e.target.dataset.confirm;
  if (ask && !confirm(ask)) { e.preventDefault(); return; }
  for (const b of e.target.querySelectorAll("button")) b.setAttribute("aria-busy", "true");
});
addEventListener("change", (e) => {
  if (e.target.dataset.all) // ticks every row of a list
    for (const box of document.querySelectorAll(`input[type=checkbox][form="${e.target.dataset.all}"]`)) box.checked = e.target.checked;
  const form = e.target.closest("form[data-auto]");
  if (form) form.requestSubmit();
});
addEventListener("click", (e) => {
  if (e.target.closest("[data-print]")) print();
  const copy = e.target.closest("[data-copy]");
  if (copy) navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).value).then(() => { copy.textContent = copy.dataset.done; });
  const add = e.target.closest("[data-add-row]");
  if (add) addRow(add.closest("fieldset"));
});
for (const b of document.querySelectorAll(navigator.clipboard ? "[data-add-row], [data-copy]" : "[data-add-row]")) b.hidden = false;
function addRow(list) { // one more empty row of a list of records
  const rows = list.querySelectorAll("[data-row]"), last = rows[rows.length - 1], row = last.cloneNode(true);
  const next = (s) => s.replace(/\[\d+\](?!.*\[\d+\])/, "[" + rows.length + "]");
  for (const x of row.querySelectorAll("[id], [name], [for], [list]"))
    for (const a of ["id", "name", "for", "list"]) if (x.hasAttribute(a)) x.setAttribute(a, next(x.getAttribute(a)));
  for (const x of row.querySelectorAll("input, textarea, select")) x.value = "";
  row.querySelector("[data-number]").textContent = rows.length + 1;
  last.after(row);
  row.querySelector("input, textarea, select").focus();
}
for (const box of document.querySelectorAll("[data-live]")) watch(box);
function watch(box) { // events as they come, newest first
  const [connecting, receiving, cut, paused] = box.querySelector("[data-state]").dataset.state.split("|");
  const state = box.querySelector("[data-state]"), count = box.querySelector("[data-count]"), missed = box.querySelector("[data-missed]");
  const body = box.querySelector("tbody"), pause = box.querySelector("[data-pause]"), most = 300;
  let source, held = false;
  const cell = (tr, text, link) => {
    const td = tr.insertCell();
    if (!link) { td.textContent = text; return; }
    const a = td.appendChild(document.createElement("a"));
    a.href = link; a.textContent = text;
  };
  const open = () => {
    state.textContent = connecting;
    source = new EventSource(box.dataset.live);
    source.onopen = () => { state.textContent = receiving; };
    source.onerror = () => { state.textContent = cut; };
    source.addEventListener("missed", (e) => { missed.textContent = +missed.textContent + +e.data; });
    source.addEventListener("rows", (e) => {
      for (const r of JSON.parse(e.data)) {
        const tr = body.insertRow(0);
        cell(tr, r.at, r.link); cell(tr, r.class); cell(tr, [r.system, r.device].filter(Boolean).join(" / "));
        cell(tr, [r.account, r.source].filter(Boolean).join(" / ")); cell(tr, r.text); cell(tr, r.result);
        count.textContent = +count.textContent + 1;
      }
      while (body.rows.length > most) body.deleteRow(-1);
    });
  };
  pause.addEventListener("click", () => {
    held = !held;
    pause.setAttribute("aria-pressed", held);
    if (held) { source.close(); state.textContent = paused; } else open();
  });
  open();
}
if (document.querySelector("[data-again]")) setTimeout(() => location.reload(), 1500); // another time is being made ready
