// A field that was called wrong is no longer so once it is changed. The notice goes with the last of them.
const corrected = ({ target }) => {
  if (!target.name || !target.form) return; // a search, say, is no answer
  const box = target.closest(".wrong") ?? target;
  if (box === target && target.ariaInvalid !== "true") return;
  box.classList.remove("wrong");
  for (const each of [box, ...box.querySelectorAll("[aria-invalid=true]")]) each.removeAttribute("aria-invalid");
  for (const error of box.querySelectorAll(".error")) error.remove();
  for (const { name } of [target, ...box.querySelectorAll("[name]")]) {
    for (const part of document.querySelectorAll(`[data-corrected] [data-of="${CSS.escape(name)}"]`)) part.remove();
  }
  const first = document.querySelector("[data-corrected] [data-of]"); // the first of a list now
  if (first) first.textContent = first.textContent.replace(/^, /, "");
  if (document.querySelector("#main :is(.wrong, [aria-invalid=true])")) return;
  for (const notice of document.querySelectorAll("[data-corrected]")) notice.remove();
};
document.addEventListener("input", corrected);
document.addEventListener("change", corrected);
