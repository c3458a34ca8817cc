// CodeMirror with TraceQL. It lives in a shadow root: there it keeps its styles in constructed style sheets, which
// the page's Content-Security-Policy allows, instead of style elements, which it does not.

import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, setDiagnostics } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { complete } from './complete';
import type { EditorProps } from './editor';
import { placeOfError, pieceAt } from './words';

export interface Mounted {
  setText: (text: string) => void;
  setWrong: (message: string) => void;
  destroy: () => void;
}

const language = StreamLanguage.define({
  name: 'traceql',
  token(stream) {
    const { kind, end } = pieceAt(stream.string, stream.pos);
    stream.pos = end;
    return kind === 'space' ? null : kind;
  },
  tokenTable: {
    string: tags.string,
    number: tags.number,
    field: tags.propertyName,
    intrinsic: tags.keyword,
    literal: tags.atom,
    function: tags.function(tags.name),
    operator: tags.operator,
    brace: tags.bracket,
    other: tags.name,
  },
});

const colors = HighlightStyle.define([
  { tag: tags.string, color: 'var(--code-string)' },
  { tag: tags.number, color: 'var(--code-number)' },
  { tag: tags.propertyName, color: 'var(--code-field)' },
  { tag: tags.keyword, color: 'var(--code-keyword)' },
  { tag: tags.atom, color: 'var(--code-number)' },
  { tag: tags.function(tags.name), color: 'var(--code-keyword)' },
  { tag: [tags.operator, tags.bracket], color: 'var(--faint)' },
]);

const theme = EditorView.theme({
  '&': {
    background: 'var(--field)',
    color: 'var(--text)',
    fontSize: '13px',
    borderRadius: '4px',
    border: '1px solid var(--edge)',
  },
  '&.cm-focused': { outline: '2px solid var(--focus)', outlineOffset: '-1px' },
  '.cm-content': { fontFamily: 'var(--mono)', caretColor: 'var(--text)', padding: '6px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-placeholder': { color: 'var(--faint)' },
  '.cm-gutters': { background: 'transparent', border: 'none' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection': {
    background: 'var(--select) !important',
  },
  '.cm-tooltip': {
    background: 'var(--raised)',
    color: 'var(--text)',
    border: '1px solid var(--edge)',
    borderRadius: '4px',
  },
  '.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', maxHeight: '16em' },
  '.cm-tooltip-autocomplete > ul > li': { padding: '2px 8px' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { background: 'var(--accent)', color: 'var(--on-accent)' },
  '.cm-diagnostic': { fontFamily: 'system-ui, sans-serif', padding: '4px 8px' },
  '.cm-lintRange-error': {
    backgroundImage: 'none',
    textDecoration: 'underline wavy var(--bad)',
    textDecorationSkipInk: 'none',
    textUnderlineOffset: '3px',
  },
});

/**
 * Typing over a selection is done here. Left to itself the browser keeps the look of what it replaces by style
 * attributes, which the Content-Security-Policy refuses.
 */
const typeOverSelection = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { main } = view.state.selection;
    if (event.inputType !== 'insertText' || event.data === null || main.empty || view.composing) return false;
    const typed = event.data;
    const insert = () =>
      view.state.update(view.state.replaceSelection(typed), { userEvent: 'input.type', scrollIntoView: true });
    const isHandled = view.state
      .facet(EditorView.inputHandler)
      .some((handle) => handle(view, main.from, main.to, typed, insert));
    if (!isHandled) view.dispatch(insert());
    return true;
  },
});

/** Puts an editor with a text into an element; `props` yields what counts at the moment. */
export function mount(host: HTMLElement, text: string, props: () => EditorProps): Mounted {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  let isOurs = false;
  const submit = () => {
    props().onSubmit(view.state.doc.toString());
    return true;
  };
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: text,
      extensions: [
        history(),
        closeBrackets(),
        bracketMatching(),
        autocompletion({ override: [complete(props)], icons: false, interactionDelay: 0 }),
        language,
        syntaxHighlighting(colors),
        theme,
        typeOverSelection,
        placeholder('{ resource.service.name = "shop" && duration > 100ms }'),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': 'TraceQL', spellcheck: 'false' }),
        keymap.of([
          ...completionKeymap,
          { key: 'Tab', run: acceptCompletion },
          { key: 'Enter', run: submit },
          { key: 'Mod-Enter', run: submit },
        ]),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && !isOurs) props().onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    setText(text) {
      const before = view.state.doc.toString();
      if (before === text) return;
      isOurs = true;
      view.dispatch({ changes: { from: 0, to: before.length, insert: text } });
      isOurs = false;
    },
    setWrong(message) {
      view.dispatch(setDiagnostics(view.state, diagnosticsOf(view.state.doc.toString(), message)));
    },
    destroy: () => view.destroy(),
  };
}

function diagnosticsOf(text: string, message: string): Diagnostic[] {
  const place = message === '' ? null : placeOfError(text, message);
  return place ? [{ from: place.from, to: place.to, severity: 'error', message: place.said }] : [];
}
