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
  const form = e.target.closest("form[data-auto]");
  if (form) form.requestSubmit();
});
addEventListener("click", (e) => {
  if (e.target.closest("[data-print]")) print();
});
