// The bar of a check that runs moves by itself; when it is over the page is shown anew.
const box = document.querySelector("[data-progress]");
const bar = box.querySelector("progress");
const done = box.querySelector("[data-done]");
const format = new Intl.NumberFormat(document.documentElement.lang);

async function look() {
  try {
    const answer = await fetch(box.dataset.progress, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const { check } = await answer.json();
    bar.value = check.done;
    done.textContent = format.format(check.done);
    if (check.state !== "waiting" && check.state !== "running") { location.reload(); return; }
  } catch { /* the next look may succeed */ }
  setTimeout(look, document.hidden ? 10000 : 1500);
}
setTimeout(look, 1000);
