// Passkeys: what the server offers goes to the authenticator, its answer goes back.
"use strict";
const bytes = (s) => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
async function send(to, body) {
  const r = await fetch(to, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const said = await r.json().catch(() => ({}));
  if (!r.ok) throw new Error(said.error || r.status);
  return said;
}
async function make(o) {
  o.challenge = bytes(o.challenge);
  o.user.id = bytes(o.user.id);
  for (const x of o.excludeCredentials || []) x.id = bytes(x.id);
  const c = await navigator.credentials.create({ publicKey: o });
  const r = c.response;
  return { clientDataJSON: text(r.clientDataJSON), attestationObject: text(r.attestationObject), transports: r.getTransports ? r.getTransports() : [], of: c };
}
async function prove(o) {
  o.challenge = bytes(o.challenge);
  const c = await navigator.credentials.get({ publicKey: o });
  const r = c.response;
  return { clientDataJSON: text(r.clientDataJSON), authenticatorData: text(r.authenticatorData), signature: text(r.signature), userHandle: r.userHandle ? text(r.userHandle) : null, of: c };
}
for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    const say = form.querySelector("[data-said]"), button = form.querySelector("button");
    say.textContent = "";
    button.disabled = true;
    try {
      const offered = await send(form.dataset.begin, {});
      const o = offered.options.publicKey || offered.options;
      const { of, ...response } = await (form.dataset.passkey === "add" ? make(o) : prove(o));
      const answer = { id: of.id, rawId: text(of.rawId), type: of.type, clientExtensionResults: of.getClientExtensionResults(), response };
      const field = (name) => (form.elements[name] ? form.elements[name].value : "");
      const done = await send(form.dataset.finish, { ticket: offered.ticket, name: field("name"), next: field("next"), response: answer });
      if (location.pathname + location.search === done.next.replace(/#.*/, "")) location.reload();
      else location.assign(done.next);
    } catch (err) {
      say.textContent = err.name === "NotAllowedError" ? form.dataset.refused : err.message;
    }
    button.disabled = false;
    button.removeAttribute("aria-busy");
  });
}
