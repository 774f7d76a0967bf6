// What an operation's page needs.
import "./curves.js";
import "./timeline.js";
import "./copy.js";
import "./ends.js";
import "./lock.js";
