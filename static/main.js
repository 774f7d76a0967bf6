// What every page needs.
import "./clock.js";
import "./contact.js";
import "./corrected.js";
import "./focus.js";
import "./keys.js";
import "./notify.js";
import "./replaced.js";
