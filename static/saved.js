// A strategy's page that follows its editor: what was typed there is saved, so its draft is forgotten.
import { placed } from "./address.js";

try {
  const sent = JSON.parse(sessionStorage.getItem("sent-draft"));
  sessionStorage.removeItem("sent-draft");
  if (sent?.name === document.getElementById("strategy").dataset.name && document.referrer.includes(placed("/strategies"))) {
    for (const storage of [sessionStorage, localStorage]) storage.removeItem(sent.key);
  }
} catch { /* nothing was kept */ }
