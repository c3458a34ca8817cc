// Traces that are sent to the server under test: an ordinary one, two to compare, one that attacks, a very large one.

export const BASE_MS = Date.now() - 120_000;

const text = (key, value) => ({ key, value: { stringValue: value } });
const number = (key, value) => ({ key, value: { intValue: String(value) } });
const nanos = (ms) => String(BigInt(Math.round(ms * 1000)) * 1000n);
const hex = (value, digits) => value.toString(16).padStart(digits, '0');

/** A span, its times in milliseconds after the begin of all. */
export function span(trace, id, parent, name, from, to, more = {}) {
  return {
    traceId: trace,
    spanId: hex(id, 16),
    ...(parent ? { parentSpanId: hex(parent, 16) } : {}),
    name,
    kind: 2,
    startTimeUnixNano: nanos(BASE_MS + from),
    endTimeUnixNano: nanos(BASE_MS + to),
    ...more,
  };
}

export const ERROR = { status: { code: 2, message: 'it went wrong' } };

/** Groups of spans by service as a request. */
export function request(groups, more = []) {
  return {
    resourceSpans: Object.entries(groups).map(([service, spans]) => ({
      resource: { attributes: [text('service.name', service), ...more] },
      scopeSpans: [{ scope: { name: 'page-check', version: '1' }, spans }],
    })),
  };
}

export const SHOP = 'a1'.padEnd(32, '0');
export const OTHER = 'a2'.padEnd(32, '0');

/** A checkout: six spans in three services, with an error, events and attributes. */
export function shop(trace, slow) {
  const failed = slow
    ? {
        ...ERROR,
        events: [
          { timeUnixNano: nanos(BASE_MS + 90), name: 'exception', attributes: [text('exception.type', 'Timeout')] },
        ],
      }
    : {};
  const query = {
    kind: 3,
    attributes: [text('db.system', 'postgresql'), number('db.rows', 42), text('doc', 'https://example.org/doc?a=1')],
  };
  return request({
    'page-shop': [
      span(trace, 1, 0, 'POST /checkout', 0, slow ? 200 : 100),
      span(trace, 2, 1, 'load cart', 5, 40, { kind: 3 }),
    ],
    'page-cart': [span(trace, 3, 2, 'GET /cart', 8, 36), span(trace, 4, 3, 'SELECT items', 10, 30, query)],
    'page-pay': [
      span(trace, 5, 1, 'POST /charge', 45, slow ? 190 : 90, {
        ...failed,
        attributes: [number('http.status_code', slow ? 504 : 200)],
      }),
      ...(slow ? [span(trace, 6, 5, 'retry', 100, 180, { kind: 1 })] : []),
    ],
  });
}

export const HOSTILE = 'bad'.padEnd(32, '0');
const MARKUP = '<img src=x onerror="window.wasHit=1"><script>window.wasHit=1</script>';

/** Markup and scripts in every place that a sender fills. */
export function hostile() {
  const attributes = [
    text(MARKUP, MARKUP),
    text('a.script', 'javascript:window.wasHit=1'),
    text('a.data', 'data:text/html,<script>parent.wasHit=1</script>'),
    text('a.quote', '"} | { } //'),
    text('a.long', 'x'.repeat(5000)),
  ];
  const events = [{ timeUnixNano: nanos(BASE_MS + 301), name: MARKUP, attributes: [text(MARKUP, MARKUP)] }];
  const links = [{ traceId: SHOP, spanId: hex(1, 16), attributes: [text(MARKUP, 'javascript:window.wasHit=1')] }];
  const more = { attributes, events, links, traceState: MARKUP, status: { code: 2, message: MARKUP } };
  const made = request({ [`page-hostile ${MARKUP}`]: [span(HOSTILE, 1, 0, MARKUP, 300, 330, more)] }, [
    text(MARKUP, MARKUP),
  ]);
  made.resourceSpans[0].scopeSpans[0].scope = { name: MARKUP, version: MARKUP };
  return made;
}

export const LARGE = '1a'.padEnd(32, '0');

/** Requests with one trace of so many spans, five levels deep, over twelve services. */
export function* large(count) {
  const perRequest = 5000;
  for (let from = 1; from <= count; from += perRequest) {
    const groups = {};
    for (let id = from; id < Math.min(count + 1, from + perRequest); id++) {
      const parent = id === 1 ? 0 : Math.ceil((id - 1) / 10);
      const [begin, end] = place(id);
      const service = `page-large-${id % 12}`;
      const attributes = [
        text('page.key', `value ${id % 97}`),
        number('page.number', id),
        text('http.route', `/route/${id % 31}`),
      ];
      const failed = id % 1013 === 0 ? ERROR : {};
      (groups[service] ??= []).push(
        span(LARGE, id, parent, `operation ${id % 53}`, begin, end, { attributes, ...failed }),
      );
    }
    yield request(groups);
  }
}

/** Ten children share the time of their parent. */
function place(id) {
  if (id === 1) return [1000, 31000];
  const [from, to] = place(Math.ceil((id - 1) / 10));
  const width = (to - from) / 10.5;
  const at = from + ((id - 2) % 10) * width;
  return [at, at + width];
}
