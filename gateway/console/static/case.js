// A case that is looked at follows its state: the page is fetched again once the state has changed.
// Without this script the reader reloads; nothing else is different.
const box = document.getElementById("case");
const said = document.getElementById("case-said");
const EVERY_MS = 2000;
const SLOW_MS = 15000;
const FAST_FOR_MS = 120000;
const began = performance.now();

async function look() {
  const answer = await fetch(box.dataset.watch, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (!answer.ok) return;
  const now = await answer.json();
  const isSame = now.state === box.dataset.state && String(now.changed_at_ms) === box.dataset.changed;
  // What somebody is filling in stays; they see the change when they send it.
  if (isSame || box.querySelector("details[open], input:focus")) return;
  const page = await fetch(location.pathname, { headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (!page.ok || page.redirected) return;
  const fresh = new DOMParser().parseFromString(await page.text(), "text/html").getElementById("case");
  if (!fresh) return;
  const hadFocus = box.contains(document.activeElement);
  const before = box.dataset.state;
  box.replaceChildren(...fresh.childNodes);
  Object.assign(box.dataset, fresh.dataset);
  if (hadFocus) document.getElementById("main").focus();
  if (before !== box.dataset.state) {
    said.textContent = box.dataset.said.replace("{state}", box.querySelector(".badge").textContent);
  }
}

async function follow() {
  if (document.visibilityState === "visible") await look().catch(() => {});
  setTimeout(follow, performance.now() - began < FAST_FOR_MS ? EVERY_MS : SLOW_MS);
}

if (box && location.pathname.match(/\/cases\/\d+$/)) setTimeout(follow, EVERY_MS);
