// Small parts that all views are made of.

import type { ComponentChildren, ComponentProps } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { serviceColor } from '../base/color';
import { showClock, showDay, showTime } from '../base/time';
import { followLink } from './router';
import { zone } from './settings';

type LinkProps = { to: string; class?: string; title?: string; label?: string; children: ComponentChildren };

/** A link within the page. */
export function Link({ to, label, children, ...rest }: LinkProps) {
  return (
    <a href={to} onClick={followLink} aria-label={label} {...rest}>
      {children}
    </a>
  );
}

/** A mark in the colour of a service. */
export function ServiceDot({ service }: { service: string }) {
  return <span class="dot" style={{ background: serviceColor(service) }} aria-hidden="true" />;
}

export function Service({ service }: { service: string }) {
  return (
    <span class="service">
      <ServiceDot service={service} />
      {service === '' ? <em>no service</em> : service}
    </span>
  );
}

/** A point in time in the chosen zone; the other zone on hovering. */
export function Time({ ms, withDay = true }: { ms: number; withDay?: boolean }) {
  const shown = zone.value;
  const other = shown === 'utc' ? 'local' : 'utc';
  const title = `${showTime(ms, other)} ${other === 'utc' ? 'UTC' : 'local time'}`;
  return (
    <time dateTime={new Date(ms).toISOString()} title={title}>
      {withDay && `${showDay(ms, shown)} `}
      {showClock(ms, shown)}
    </time>
  );
}

/** What went wrong, or what is to be known. */
export function Notice({ kind, children }: { kind: 'error' | 'warning' | 'info'; children: ComponentChildren }) {
  return (
    <div class={`notice ${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}

type ButtonProps = ComponentProps<'button'> & { pressed?: boolean };

/** A button that does something here; with `pressed` it is one that stays down. */
export function Button({ pressed, children, ...rest }: ButtonProps) {
  return (
    <button type="button" aria-pressed={pressed} {...rest}>
      {children}
    </button>
  );
}

/** Copies a text, and says so for a moment. */
export function Copy({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    setDone(await writeClipboard(text));
    setTimeout(() => setDone(false), 1200);
  };
  return (
    <Button class="small quiet" aria-label={label} title={label} onClick={() => void copy()}>
      {done ? 'copied' : 'copy'}
    </Button>
  );
}

async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** Browsers keep the clipboard from pages that came over plain HTTP from another machine; a selection may be copied. */
function copyBySelection(text: string): boolean {
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'sr';
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  const isDone = document.execCommand('copy');
  field.remove();
  return isDone;
}

/** A window over the page. Escape and a click beside it close it. */
export function Dialog({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = box.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog ref={box} aria-label={title} onClose={close} onClick={(event) => event.target === box.current && close()}>
      <header class="dialog-head">
        <h2>{title}</h2>
        <Button class="quiet" aria-label="close" onClick={close}>
          ×
        </Button>
      </header>
      {children}
    </dialog>
  );
}

/** The width and height of an element, as they change. */
export function useSize<T extends HTMLElement>() {
  const ref = useRef<T>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!ref.current) return;
    const observer = new ResizeObserver(([entry]) => {
      const box = entry!.contentRect;
      setSize({ width: Math.round(box.width), height: Math.round(box.height) });
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [ref, size] as const;
}
