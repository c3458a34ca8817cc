// TraceQL written from what a form says.

/** The common case: fields of one span. Empty ones say nothing. */
export interface Form {
  service: string;
  operation: string;
  status: string;
  /** Durations as a person writes them. */
  min: string;
  max: string;
  /** `key=value key2="value 2"`. */
  tags: string;
}

export const EMPTY_FORM: Form = { service: '', operation: '', status: '', min: '', max: '', tags: '' };

/** A string of TraceQL. */
export function quote(text: string): string {
  const escapes: Record<string, string> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  return `"${text.replace(/["\\\n\r\t]/g, (found) => escapes[found] ?? found)}"`;
}

const SCOPES = ['resource', 'span', 'event', 'link', 'instrumentation', 'parent'];
const INTRINSICS = ['name', 'status', 'statusMessage', 'kind', 'rootName', 'rootServiceName'];

/** An attribute's name as TraceQL reads it; names with other signs stand in quotes. */
export function attributeField(scope: string, name: string): string {
  return `${scope}.${/^[A-Za-z_][\w.\-/]*$/.test(name) ? name : quote(name)}`;
}

/** A field from what a person writes: `http.method`, `.http.method`, `span.http.method`, `kind`. */
function fieldOf(key: string): string {
  if (INTRINSICS.includes(key) || /^(span|trace|event|link|instrumentation):\w+$/.test(key)) return key;
  if (key.startsWith('.')) return attributeField('', key.slice(1));
  const [first, ...rest] = key.split('.');
  return SCOPES.includes(first!) && rest.length > 0 ? attributeField(first!, rest.join('.')) : attributeField('', key);
}

const WORDS: Record<string, RegExp> = {
  status: /^(ok|error|unset)$/,
  kind: /^(unspecified|internal|server|client|producer|consumer)$/,
  'span:status': /^(ok|error|unset)$/,
  'span:kind': /^(unspecified|internal|server|client|producer|consumer)$/,
};

/** A condition. What reads as a number or a boolean may have been sent as text, too. */
function condition(field: string, operator: string, raw: string, isQuoted: boolean): string {
  if (!isQuoted && WORDS[field]?.test(raw)) return `${field} ${operator} ${raw}`;
  const asText = `${field} ${operator} ${quote(raw)}`;
  const isLiteral = /^-?\d+(\.\d+)?$/.test(raw) || raw === 'true' || raw === 'false';
  if (isQuoted || !isLiteral || operator.includes('~') || INTRINSICS.includes(field)) return asText;
  if (operator === '=') return `(${field} = ${raw} || ${asText})`;
  return operator === '!=' ? `${field} != ${raw} && ${asText}` : `${field} ${operator} ${raw}`;
}

const TAG = /([^\s=!<>~"]+|"(?:[^"\\]|\\.)*")\s*(=~|!~|!=|>=|<=|=|>|<)\s*("(?:[^"\\]|\\.)*"|[^\s"]+)/y;

/** The conditions of tags, or what is wrong with them. */
export function tagConditions(tags: string): string[] | { wrong: string } {
  const found: string[] = [];
  let at = 0;
  const spaces = /\s*(&&\s*)?/y;
  for (;;) {
    spaces.lastIndex = at;
    at += spaces.exec(tags)?.[0].length ?? 0;
    if (at >= tags.length) return found;
    TAG.lastIndex = at;
    const match = TAG.exec(tags);
    if (match === null) return { wrong: `tags have "${tags.slice(at, at + 40)}", expected key=value or key="a value"` };
    const [all, key, operator, value] = match as unknown as [string, string, string, string];
    const isQuoted = value.startsWith('"');
    found.push(condition(fieldOf(unquote(key)), operator, unquote(value), isQuoted));
    at += all.length;
  }
}

function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign === 't' ? '\t' : sign));
}

const DURATION = /^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/;

/** The query that a form stands for, or what is wrong with the form. */
export function formQuery(form: Form): { q: string } | { wrong: string } {
  const conditions: string[] = [];
  if (form.service !== '') conditions.push(`resource.service.name = ${quote(form.service)}`);
  if (form.operation !== '') conditions.push(`name = ${quote(form.operation)}`);
  if (form.status !== '') conditions.push(`status = ${form.status}`);
  for (const [name, operator] of [
    ['min', '>='],
    ['max', '<='],
  ] as const) {
    const text = form[name].trim();
    if (text === '') continue;
    if (!DURATION.test(text)) return { wrong: `the duration is "${text}", expected one such as 100ms or 1.5s` };
    conditions.push(`duration ${operator} ${text}`);
  }
  const tags = tagConditions(form.tags);
  if ('wrong' in tags) return tags;
  conditions.push(...tags);
  return { q: conditions.length === 0 ? '{ }' : `{ ${conditions.join(' && ')} }` };
}

/** Adds a condition to a query: to its only filter, or to a new one that spans of the same trace must meet. */
export function narrow(q: string, more: string): string {
  const filter = /^\s*\{([^{}]*)\}\s*$/.exec(q);
  if (!filter) return q.trim() === '' ? `{ ${more} }` : `(${q.trim()}) && { ${more} }`;
  const inner = filter[1]!.trim();
  if (inner === '') return `{ ${more} }`;
  return inner.includes('||') ? `{ (${inner}) && ${more} }` : `{ ${inner} && ${more} }`;
}
