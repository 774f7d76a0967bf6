// What a form of a start needs.
import "./form.js";
import "./search.js";
import "./copy.js";
