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

// A form is sent once, however often its button is pressed; it works again when the page is come back to.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  if (event.target.dataset.sent) { event.preventDefault(); return; }
  event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
