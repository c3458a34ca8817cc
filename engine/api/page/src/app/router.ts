// Where the page is: the address holds the whole state of a view, so that links, back and forward work.

import { signal } from '@preact/signals';
import { type Params, href, readParams } from '../base/link';
import { tenant } from '../api/client';

export const params = signal<Params>({});

/** Reads the address; called once, and whenever the browser goes back or forth. */
function arrive(): void {
  params.value = readParams(location.search);
  tenant.value = params.value.tenant ?? '';
}

export function startRouter(): void {
  arrive();
  addEventListener('popstate', arrive);
}

type Change = Record<string, string | number | undefined>;

/** The address of a view. The tenant goes along. */
export function linkTo(view: string, more: Change = {}): string {
  return href({ view: view === 'search' ? '' : view, tenant: params.peek().tenant, ...more });
}

/** The address of this view with some things changed; undefined takes one away. */
export function linkWith(change: Change): string {
  return href({ ...params.peek(), ...change });
}

/** Goes to an address of this page. */
export function go(address: string, replace = false): void {
  const url = new URL(address, document.baseURI);
  if (url.href === location.href) return;
  if (replace) history.replaceState(null, '', url);
  else history.pushState(null, '', url);
  const before = params.peek().view;
  arrive();
  if (!replace && params.peek().view !== before) scrollTo(0, 0);
}

/** For links: a plain click stays within the page, others do what the browser does. */
export function followLink(event: MouseEvent): void {
  const link = event.currentTarget;
  if (!(link instanceof HTMLAnchorElement)) return;
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute('href') ?? './');
}
