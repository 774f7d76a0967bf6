// A list of the page is searched while somebody types: <input data-filter="#list">, and `data-text` of each entry.
document.addEventListener("input", (event) => {
  const list = event.target.dataset.filter && document.querySelector(event.target.dataset.filter);
  if (!list) return;
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const entry of list.querySelectorAll("[data-text]")) {
    const text = entry.dataset.text.toLowerCase();
    entry.hidden = !words.every((word) => text.includes(word));
  }
  if (!event.target.value.trim()) return;
  for (const folded of list.querySelectorAll("details")) folded.open = folded.querySelector("[data-text]:not([hidden])") !== null;
});
