// Addresses: the page's own, which hold the whole state of a view, and those that lead elsewhere.

/** What the address says: names and texts. Empty ones are left out. */
export type Params = Record<string, string>;

/** Reads the part behind the `?`. Of a name that stands there twice the first counts. */
export function readParams(search: string): Params {
  const params: Params = {};
  for (const [name, value] of new URLSearchParams(search)) {
    if (value !== '' && !Object.hasOwn(params, name)) params[name] = value;
  }
  return params;
}

/** The address of a view, relative to the page's base. */
export function href(params: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') search.append(name, String(value));
  }
  const text = search.toString();
  return text === '' ? './' : `./?${text}`;
}

/** A trace's id in 32 lower-case digits; null when the text is none. Nothing else may become a part of a path. */
export function readTraceId(text: string): string | null {
  const id = text.trim().toLowerCase();
  return /^[0-9a-f]{1,32}$/.test(id) ? id.padStart(32, '0') : null;
}

/** The address if it is one of http or https, written out in full; else null. */
export function safeLink(text: string): string | null {
  if (!/^https?:\/\//i.test(text)) return null;
  try {
    const url = new URL(text);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * A link by a template such as `https://logs.example/explore?q=${traceId}`: each `${name}` is replaced by its value,
 * percent-encoded, so that no value can change where the link leads. Null when the template is no address of http or
 * https, or names what is not there.
 */
export function fillTemplate(template: string, values: Record<string, string>): string | null {
  let isKnown = true;
  const filled = template.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    if (!Object.hasOwn(values, name)) isKnown = false;
    return encodeURIComponent(values[name] ?? '');
  });
  // The host must stand in the template itself.
  const host = /^https?:\/\/([^/?#]*)/i.exec(template)?.[1] ?? '';
  if (!isKnown || host === '' || host.includes('${')) return null;
  return safeLink(filled);
}
