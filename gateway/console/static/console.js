// What is nicer with a script; every page works without it.
const narrow = window.matchMedia("(max-width: 59.9rem)");

// The menu is folded where it would push the page down, and always open beside it.
for (const menu of document.querySelectorAll("[data-menu]")) {
  const fit = () => { menu.open = !narrow.matches; };
  fit();
  narrow.addEventListener("change", fit);
}

// A box that asks back: Escape and "no" close it, and the reader stays where they were.
for (const box of document.querySelectorAll("details.confirm")) {
  const summary = box.querySelector("summary");
  const close = () => { box.open = false; summary.focus(); };
  for (const button of box.querySelectorAll("[data-close]")) {
    button.hidden = false;
    button.addEventListener("click", close);
  }
  box.addEventListener("keydown", (event) => { if (event.key === "Escape" && box.open) close(); });
}

// A double click sends a form once. It works again soon: the answer may be a file, and the page stays.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  setTimeout(() => { delete form.dataset.sent; }, 2000);
});
