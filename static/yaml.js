// A YAML text in CodeMirror, in the place of a <textarea> that a form goes on to send.
//
// It is in a shadow root: only there does CodeMirror put its styles where the panel's content security policy lets
// it (into a sheet that is constructed, not into a <style>). Colours come in as the page's custom properties.
import {
  Decoration, EditorState, EditorView, HighlightStyle, RangeSetBuilder, StateField, WidgetType, bracketMatching,
  defaultKeymap, forEachDiagnostic, highlightActiveLine, highlightActiveLineGutter, highlightSelectionMatches,
  highlightSpecialChars, history, historyKeymap, indentUnit, isolateHistory, keymap, lineNumbers, lintGutter, lintKeymap, searchKeymap, setDiagnostics,
  syntaxHighlighting, tags, yaml,
} from "./vendor/codemirror-6.43.15.min.js";

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--ok)" },
  { tag: [tags.lineComment, tags.meta], color: "var(--quiet)", fontStyle: "italic" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--quiet)" },
  { tag: [tags.labelName, tags.typeName], color: "var(--run-4)" },
]);

const look = EditorView.theme({
  "&": { backgroundColor: "var(--raised)", color: "var(--ink)", fontSize: "13px", minHeight: "320px", maxHeight: "70vh" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)", padding: "8px 0" },
  ".cm-line": { padding: "0 12px 0 6px" },
  ".cm-gutters": { backgroundColor: "var(--raised)", color: "var(--quiet)", border: "none", borderRight: "1px solid var(--hair)" },
  ".cm-gutter-lint": { width: "18px" },
  ".cm-gutter-lint .cm-gutterElement": { padding: "4px 3px 0" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--wash-line) 45%, transparent)" },
  ".cm-content ::selection, .cm-line::selection": { backgroundColor: "var(--wash-up-3)" },
  ".cm-selectionMatch": { backgroundColor: "var(--wash-line)" },
  ".cm-matchingBracket": { backgroundColor: "var(--wash-up-2) !important", color: "inherit" },
  ".cm-message": { paddingLeft: "2ch", fontFamily: "system-ui, sans-serif", fontSize: "12px", color: "var(--warning)" },
  ".cm-message.wrong": { color: "var(--failed)" },
  ".cm-lintRange": { backgroundImage: "none", textDecoration: "underline wavy var(--warning) 1px", textUnderlineOffset: "3px", paddingBottom: "0" },
  ".cm-lintRange-error": { textDecorationColor: "var(--failed)" },
  ".cm-lint-marker": { width: "12px", height: "12px", content: "none", borderRadius: "50%", backgroundColor: "var(--warning)" },
  ".cm-lint-marker-error": { backgroundColor: "var(--failed)", borderRadius: "2px" },
  ".cm-tooltip, .cm-panels": { backgroundColor: "var(--paper)", color: "var(--ink)", border: "1px solid var(--edge)" },
  ".cm-diagnostic": { whiteSpace: "normal", maxWidth: "60ch", padding: "4px 8px" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--failed)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warning)" },
  ".cm-panels button, .cm-panels input": { color: "inherit", backgroundColor: "var(--raised)", backgroundImage: "none", border: "1px solid var(--edge)", borderRadius: "4px" },
  ".cm-specialChar": { color: "var(--failed)" },
  ".cm-searchMatch": { backgroundColor: "var(--wash-warning)", outline: "1px solid var(--warning)" },
});

class Message extends WidgetType {
  constructor(text, wrong) {
    super();
    this.text = text;
    this.wrong = wrong;
  }

  eq(other) { return other.text === this.text && other.wrong === this.wrong; }

  toDOM() {
    const message = document.createElement("span");
    message.className = this.wrong ? "cm-message wrong" : "cm-message";
    message.textContent = this.text;
    message.ariaHidden = "true"; // the list beside the editor is what is read out
    return message;
  }
}

// Each message after the text of its line; several of one line together.
const beside = (state) => {
  const lines = new Map();
  forEachDiagnostic(state, (found, from) => {
    const { to } = state.doc.lineAt(from);
    const before = lines.get(to);
    lines.set(to, { text: before ? `${before.text} ${found.message}` : found.message, wrong: before?.wrong || found.severity === "error" });
  });
  const made = new RangeSetBuilder();
  for (const [at, { text, wrong }] of [...lines].sort((one, other) => one[0] - other[0])) {
    made.add(at, at, Decoration.widget({ widget: new Message(text, wrong), side: 1 }));
  }
  return made.finish();
};
const messages = StateField.define({
  create: beside,
  update: (now, change) => (change.docChanged || change.effects.length ? beside(change.state) : now),
  provide: (field) => EditorView.decorations.from(field),
});

/** `changed(text, line)` is called after each change of the text or of the caret's place. */
export const yamlEditor = (area, label, changed) => {
  const host = document.createElement("div");
  host.className = "yaml-editor";
  host.id = "text-editor";
  area.after(host);
  area.hidden = true;
  const root = host.attachShadow({ mode: "open", delegatesFocus: false });
  const view = new EditorView({
    doc: area.defaultValue,
    parent: root,
    root,
    extensions: [
      lineNumbers(), lintGutter(), highlightActiveLineGutter(), highlightActiveLine(), history(), bracketMatching(),
      highlightSelectionMatches(), highlightSpecialChars(), indentUnit.of("  "), EditorState.tabSize.of(2), EditorView.lineWrapping, yaml(),
      syntaxHighlighting(colours), messages, look,
      // Tab is not taken: it leaves the editor, as it leaves every field.
      keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, ...lintKeymap]),
      // The browser, left to replace coloured words itself, writes a style into the page, which the policy forbids.
      EditorView.domEventHandlers({
        beforeinput(event, view) {
          if (event.inputType !== "insertText" || event.isComposing || !event.data || view.state.selection.main.empty) return false;
          view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
          return true;
        },
      }),
      EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0", autocapitalize: "off", spellcheck: "false" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) area.value = update.state.doc.toString();
        if (update.docChanged || update.selectionSet) {
          changed(update.docChanged, update.state.doc.lineAt(update.state.selection.main.head).number);
        }
      }),
    ],
  });
  return {
    focus: () => view.focus(),
    replace: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, annotations: isolateHistory.of("full") }),
    goTo(number) {
      const line = view.state.doc.line(Math.min(Math.max(number, 1), view.state.doc.lines));
      view.dispatch({ selection: { anchor: line.from, head: line.to }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
      view.focus();
    },
    /** `remarks`: [{line, message, wrong}], of which those without a line are left out. */
    mark(remarks) {
      const found = remarks.filter(({ line }) => line > 0 && line <= view.state.doc.lines).map(({ line, message, wrong }) => {
        const { from, text } = view.state.doc.line(line);
        const severity = wrong ? "error" : "warning";
        return { from: from + text.length - text.trimStart().length, to: from + text.trimEnd().length, severity, message };
      }).map((each) => ({ ...each, from: Math.min(each.from, each.to) }));
      view.dispatch(setDiagnostics(view.state, found));
    },
  };
};
