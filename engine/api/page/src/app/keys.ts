// The keyboard: one listener for the page, a list of what is bound, which is also what the help shows.

import { useEffect, useRef } from 'preact/hooks';

export interface Binding {
  /** Keys in their order: `g s`, `/`, `?`, `ArrowDown`. */
  keys: string;
  about: string;
  run: () => void;
}

/** What each view that is there binds, in the order in which they came. */
const stack: { bindings: Binding[] }[] = [];
let pending = '';
let pendingAt = 0;

/** Bindings that hold while a view is there; the last view wins. */
export function useKeys(bindings: Binding[]): void {
  const slot = useRef({ bindings });
  slot.current.bindings = bindings;
  useEffect(() => {
    const mine = slot.current;
    stack.push(mine);
    return () => void stack.splice(stack.indexOf(mine), 1);
  }, []);
}

/** What is bound now, by view. */
export function boundKeys(): Binding[][] {
  return stack.map(({ bindings }) => bindings.filter(({ about }) => about !== ''));
}

function isTyping(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
}

export function startKeys(): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key !== 'Escape' && isTyping(event)) return;
    if (['Shift', 'Control', 'Alt', 'Meta'].includes(event.key)) return;
    const typed = performance.now() - pendingAt < 1000 && pending !== '' ? `${pending} ${event.key}` : event.key;
    // Over an open dialog nothing else is asked of the page.
    if (event.key !== '?' && document.querySelector('dialog[open]')) return;
    const all = [...stack].reverse().flatMap(({ bindings }) => bindings);
    const found = all.find(({ keys }) => keys === typed) ?? all.find(({ keys }) => keys === event.key);
    pending = found ? '' : event.key;
    pendingAt = performance.now();
    if (!found) return;
    event.preventDefault();
    found.run();
  });
}
