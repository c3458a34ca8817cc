// The keyboard: one listener for the page, a list of what is bound, which is also what the help shows.

import { useEffect } from 'preact/hooks';

export interface Binding {
  /** Keys in their order: `g s`, `/`, `?`, `ArrowDown`. */
  keys: string;
  about: string;
  run: () => void;
}

const stack: Binding[][] = [];
let pending = '';
let pendingAt = 0;

/** Bindings that hold while a view is there; the last view wins. */
export function useKeys(bindings: Binding[]): void {
  useEffect(() => {
    stack.push(bindings);
    return () => void stack.splice(stack.indexOf(bindings), 1);
  });
}

/** What is bound now, outermost first. */
export function boundKeys(): Binding[][] {
  return stack.map((bindings) => bindings.filter(({ about }) => about !== ''));
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
    const all = [...stack].reverse().flat();
    const found = all.find(({ keys }) => keys === typed) ?? all.find(({ keys }) => keys === event.key);
    pending = found ? '' : event.key;
    pendingAt = performance.now();
    if (!found) return;
    event.preventDefault();
    found.run();
  });
}
