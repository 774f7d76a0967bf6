// Keyboard and theme. Single keys work only where nothing is being typed.
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const turn = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not remembered */ }
    document.dispatchEvent(new Event("theme"));
  };
  button.hidden = false;
  button.addEventListener("click", turn);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "t") turn();
    else if (event.key === "n") location.href = "/start/training";
    else if (event.key === "h") location.href = "/";
    else if (event.key === "/" && document.getElementById("search")) document.getElementById("search").focus();
    else return;
    event.preventDefault();
  });
})();
