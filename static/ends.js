// Which ends somebody has seen on their own pages, in this browser: [[id, when it ended]], the newest 200.
const KEY = "ends";
const LIMIT = 200;

export const endsSeen = () => {
  try { return new Map(JSON.parse(localStorage.getItem(KEY))); } catch { return new Map(); }
};

const see = () => {
  const status = document.getElementById("status");
  if (document.hidden || !status?.dataset.ended) return;
  const id = location.pathname.match(/[^/]+$/)[0];
  const others = [...endsSeen()].filter(([each]) => each !== id);
  try { localStorage.setItem(KEY, JSON.stringify([...others, [id, Number(status.dataset.ended)]].slice(-LIMIT))); } catch { /* not remembered */ }
};
for (const event of ["visibilitychange", "htmx:after:swap"]) document.addEventListener(event, see);
see();
