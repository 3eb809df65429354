// Bar and figures of something that runs move by themselves; when it is over the page is shown anew.
const box = document.querySelector("[data-moving]");
const format = new Intl.NumberFormat(document.documentElement.lang);

async function look() {
  try {
    const answer = await fetch(box.dataset.moving, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const now = await answer.json();
      if (!now.is_open || now.phase !== box.dataset.phase) { location.reload(); return; }
      for (const one of document.querySelectorAll("[data-figure] b")) {
        one.textContent = format.format(now[one.closest("[data-figure]").dataset.figure]);
      }
      box.querySelector("progress").value = now.done;
    }
  } catch { /* the next look may succeed */ }
  setTimeout(look, document.hidden ? 10000 : 1500);
}
setTimeout(look, 1000);
