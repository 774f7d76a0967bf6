// What was typed survives a reload and a closed tab; long lists of choices can be searched.
(() => {
  const named = (form) => [...form.elements].filter((field) => field.name && field.type !== "hidden");
  const key = (form) => `draft:${form.dataset.draft}`;

  const keep = (form) => {
    const draft = {};
    for (const field of named(form)) {
      if (field.type === "radio") { if (field.checked) draft[field.name] = field.value; }
      else if (field.type === "checkbox") draft[field.name] = field.checked;
      else draft[field.name] = field.value;
    }
    try { localStorage.setItem(key(form), JSON.stringify(draft)); } catch { /* not kept */ }
  };

  const fill = (form) => {
    let draft = null;
    try { draft = JSON.parse(localStorage.getItem(key(form))); } catch { /* nothing kept */ }
    if (!draft || location.search) return;
    for (const field of named(form)) {
      if (!(field.name in draft)) continue;
      if (field.type === "radio") field.checked = field.value === draft[field.name];
      else if (field.type === "checkbox") field.checked = draft[field.name];
      else field.value = draft[field.name];
    }
  };

  // A choice fills other fields, but not those in which somebody typed something of their own.
  const chosen = (form) => form?.querySelector("[data-fill]:checked");
  let filled = {};
  const remember = (form) => { filled = JSON.parse(chosen(form)?.dataset.fill || "{}"); };
  document.addEventListener("change", (event) => {
    const choice = event.target.closest("[data-fill]");
    if (!choice) return;
    const fill = JSON.parse(choice.dataset.fill);
    for (const [name, value] of Object.entries(fill)) {
      const field = choice.form.elements[name];
      if (field instanceof HTMLInputElement && (!field.value || field.value === filled[name])) field.value = value;
    }
    filled = fill;
    keep(choice.form);
  });

  const start = document.getElementById("start-form");
  if (start && !start.querySelector(".wrong, .notice.failed")) fill(start);
  remember(start);

  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-draft]");
    if (form) keep(form);
    const list = event.target.dataset.filter && document.querySelector(event.target.dataset.filter);
    if (!list) return;
    const words = event.target.value.toLowerCase().split(/\s+/);
    for (const choice of list.children) {
      const text = choice.dataset.text.toLowerCase();
      choice.hidden = !words.every((word) => text.includes(word));
    }
  });

  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    const form = ctx.sourceElement?.closest?.("form[data-draft]");
    if (form && ctx.response?.status === 204) localStorage.removeItem(key(form)); // it has started
  });
})();
