// A list of the page is searched as the user types: <input data-filter="#list">, and `data-text` of each entry.
document.addEventListener("input", (event) => {
  const list = event.target.dataset.filter && document.querySelector(event.target.dataset.filter);
  if (!list) return;
  const terms = event.target.value.toLowerCase().split(/\s+/);
  for (const entry of list.querySelectorAll("[data-text]")) {
    const text = entry.dataset.text.toLowerCase();
    entry.hidden = !terms.every((term) => text.includes(term));
  }
  if (!event.target.value.trim()) return;
  for (const folded of list.querySelectorAll("details")) folded.open = folded.querySelector("[data-text]:not([hidden])") !== null;
});
