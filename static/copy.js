// A button that copies a text of the page: <button data-copy="id of the text">.
document.documentElement.dataset.copies = "";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  const place = button && document.getElementById(button.dataset.copy);
  if (!place) return;
  const label = button.querySelector("span") ?? button;
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(place.textContent);
    label.textContent = "Copied";
  } catch { // no clipboard without a secure address: the reader's own keys do it
    getSelection().selectAllChildren(place);
    label.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => { label.textContent = before; }, 2000);
});
