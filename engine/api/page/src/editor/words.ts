// TraceQL's words, and a text cut into pieces: for highlighting, and for knowing what may stand at a cursor.
// docs/TRACEQL.md has the language; `storage/traceql/src/names.rs` the names.

export const INTRINSICS = [
  'duration',
  'name',
  'status',
  'statusMessage',
  'kind',
  'parent',
  'rootName',
  'rootServiceName',
  'traceDuration',
  'nestedSetLeft',
  'nestedSetRight',
  'nestedSetParent',
  'trace:duration',
  'trace:rootName',
  'trace:rootService',
  'trace:id',
  'span:duration',
  'span:name',
  'span:kind',
  'span:status',
  'span:statusMessage',
  'span:id',
  'span:parentID',
  'span:childCount',
  'event:name',
  'event:timeSinceStart',
  'link:traceID',
  'link:spanID',
  'instrumentation:name',
  'instrumentation:version',
];
export const STATUSES = ['error', 'ok', 'unset'];
export const KINDS = ['server', 'client', 'producer', 'consumer', 'internal', 'unspecified'];
export const LITERALS = [...STATUSES, ...KINDS, 'true', 'false', 'nil', 'minInt', 'maxInt'];
export const SCOPES = ['span', 'resource', 'event', 'link', 'instrumentation', 'parent'];
export const AGGREGATES = ['count', 'avg', 'min', 'max', 'sum'];
export const METRICS = [
  'rate',
  'count_over_time',
  'min_over_time',
  'max_over_time',
  'avg_over_time',
  'sum_over_time',
  'quantile_over_time',
  'histogram_over_time',
  'compare',
];
export const STAGES = ['by', 'coalesce', 'select', 'topk', 'bottomk', 'with'];

export type PieceKind =
  'string' | 'number' | 'field' | 'intrinsic' | 'literal' | 'function' | 'operator' | 'brace' | 'space' | 'other';

const PATTERNS: [PieceKind, RegExp][] = [
  ['space', /\s+/y],
  ['string', /"(?:[^"\\\n]|\\.)*"?|`[^`]*`?/y],
  [
    'field',
    /(?:(?:span|resource|event|link|instrumentation|parent)\.|\.)(?:"(?:[^"\\\n]|\\.)*"?|[^\s"{}()=~!<>&|^,;*+])*/y,
  ],
  ['number', /\d+(?:\.\d+)?(?:e[+-]?\d+)?(?:ns|us|µs|ms|s|m|h)?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))*/y],
  ['other', /[A-Za-z_][\w:]*/y],
  ['operator', /&&|\|\||!>>|!<<|&>>|&<<|!>|!<|!~|&>|&<|&~|>>|<<|>=|<=|!=|=~|[=<>!~+\-*/%^|]/y],
  ['brace', /[{}(),]/y],
];

function wordKind(word: string): PieceKind {
  if (LITERALS.includes(word)) return 'literal';
  if (INTRINSICS.includes(word)) return 'intrinsic';
  return [...AGGREGATES, ...METRICS, ...STAGES].includes(word) ? 'function' : 'other';
}

/** The piece that begins at `at`, which is within the text. */
export function pieceAt(text: string, at: number): { kind: PieceKind; end: number } {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found) return { kind: kind === 'other' ? wordKind(found) : kind, end: at + found.length };
  }
  return { kind: 'other', end: at + 1 };
}

export interface Piece {
  kind: PieceKind;
  from: number;
  to: number;
  text: string;
}

/** All pieces but spaces, up to `end`. */
export function pieces(text: string, end = text.length): Piece[] {
  const found: Piece[] = [];
  for (let at = 0; at < end;) {
    const piece = pieceAt(text, at);
    const to = Math.min(piece.end, end);
    if (piece.kind !== 'space') found.push({ kind: piece.kind, from: at, to, text: text.slice(at, to) });
    at = piece.end;
  }
  return found;
}

/** What may stand at a cursor, and from where on it replaces the text. */
export type Place =
  | { what: 'field'; from: number }
  | { what: 'value'; from: number; field: string }
  | { what: 'operator'; from: number }
  | { what: 'stage'; from: number }
  | { what: 'nothing'; from: number };

/** Judges the text before the cursor. */
export function placeAt(text: string, cursor: number): Place {
  const before = pieces(text, cursor);
  const last = before.at(-1);
  const isOpen = last !== undefined && last.to === cursor && !['operator', 'brace'].includes(last.kind);
  const from = isOpen ? last.from : cursor;
  const rest = isOpen ? before.slice(0, -1) : before;
  const depth = rest.reduce((sum, piece) => sum + (piece.text === '{' ? 1 : piece.text === '}' ? -1 : 0), 0);
  const [previous, operand] = [rest.at(-1), rest.at(-2)];
  const isField = (piece?: Piece) => piece?.kind === 'field' || piece?.kind === 'intrinsic';
  if (previous?.kind === 'operator' && /^(=|!=|=~|!~|<|>|<=|>=)$/.test(previous.text) && isField(operand)) {
    return { what: 'value', from, field: operand!.text };
  }
  const call = openCall(rest);
  if (call !== '')
    return STAGES.concat(METRICS, AGGREGATES).includes(call) ? { what: 'field', from } : { what: 'nothing', from };
  if (depth > 0) {
    const isAfterValue = previous && ['string', 'number', 'literal'].includes(previous.kind);
    return isAfterValue || (isField(previous) && !isOpen) ? { what: 'operator', from } : { what: 'field', from };
  }
  return previous?.text === '|' ? { what: 'stage', from } : { what: 'nothing', from };
}

/** The function whose parenthesis is open at the end, outside of braces. */
function openCall(list: Piece[]): string {
  let depth = 0;
  for (let at = list.length - 1; at > 0; at--) {
    const { text } = list[at]!;
    if (text === '{') return '';
    if (text === ')') depth++;
    if (text === '(' && depth-- === 0) return list[at - 1]!.kind === 'function' ? list[at - 1]!.text : '';
  }
  return '';
}

/** Where an error is that names its line and column (both from 1, columns in characters): offsets in the text. */
export function placeOfError(text: string, message: string): { from: number; to: number; said: string } | null {
  const found = /line (\d+), column (\d+): (.*)/s.exec(message);
  if (!found) return null;
  const lines = text.split('\n');
  const line = lines[Number(found[1]) - 1];
  if (line === undefined) return null;
  const start = lines.slice(0, Number(found[1]) - 1).reduce((sum, one) => sum + one.length + 1, 0);
  const column = [...line].slice(0, Number(found[2]) - 1).join('').length;
  const from = Math.min(text.length, start + column);
  const to = from < text.length ? Math.max(from + 1, pieceAt(text, from).end) : from;
  return { from: to > from ? from : Math.max(0, from - 1), to, said: found[3]!.trim() };
}
