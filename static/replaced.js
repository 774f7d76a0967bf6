// The address follows what is shown, so that it can be reloaded and sent. htmx leaves addresses alone here: its history
// would ask for pages again that a browser has.
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx?.replace === "true") history.replaceState(null, "", ctx.response?.raw?.url || ctx.request.action);
});
