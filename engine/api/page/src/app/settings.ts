// What a person set, kept in this browser.

import { type Signal, effect, signal } from '@preact/signals';
import type { Zone } from '../base/time';

const PREFIX = 'spanloom.';

/** A value that is kept; what does not read as one is forgotten. */
export function keptSignal<T>(name: string, initial: T, isValid: (value: unknown) => value is T): Signal<T> {
  let start = initial;
  try {
    const text = localStorage.getItem(PREFIX + name);
    const value: unknown = text === null ? undefined : JSON.parse(text);
    if (isValid(value)) start = value;
  } catch {
    // Storage may be switched off, or hold what is no JSON.
  }
  const kept = signal(start);
  let isFirst = true;
  effect(() => {
    const text = JSON.stringify(kept.value);
    if (isFirst) {
      isFirst = false;
      return;
    }
    try {
      localStorage.setItem(PREFIX + name, text);
    } catch {
      // It counts until the page is left.
    }
  });
  return kept;
}

const isText = (value: unknown): value is string => typeof value === 'string';

export type Theme = 'auto' | 'light' | 'dark';
export const theme = keptSignal<Theme>(
  'theme',
  'auto',
  (v): v is Theme => v === 'auto' || v === 'light' || v === 'dark',
);

export const zone = keptSignal<Zone>('zone', 'local', (v): v is Zone => v === 'local' || v === 'utc');

/** Where the logs of a trace are; see docs/PAGE.md. */
export const logsTemplate = keptSignal('logsTemplate', '', isText);

const dark = matchMedia('(prefers-color-scheme: dark)');
export const isDark = signal(dark.matches);

/** Puts the theme on the document, and follows the system where that is wanted. */
export function startTheme(): void {
  const system = signal(dark.matches);
  dark.addEventListener('change', (event) => (system.value = event.matches));
  effect(() => {
    isDark.value = theme.value === 'auto' ? system.value : theme.value === 'dark';
    document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light';
  });
}
