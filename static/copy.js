// A button that copies a text of the page: <button data-copy="id of the text">.
(() => {
  document.documentElement.dataset.copies = "";
  const selected = (place) => getSelection().selectAllChildren(place);

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    const place = button && document.getElementById(button.dataset.copy);
    if (!place) return;
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(place.textContent);
      button.textContent = "Copied";
    } catch { // no clipboard without a secure address: the reader's own keys do it
      selected(place);
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = said; }, 2000);
  });
})();
