// The spans of a trace that matched, as far as the answer shows them, with the fields that the query names.

import type { FoundTrace } from '../api/search';
import { Link } from '../app/parts';
import { linkTo } from '../app/router';
import { showDuration } from '../base/time';

export function Matched({ trace }: { trace: FoundTrace }) {
  const more = trace.matched - trace.shown.length;
  return (
    <tr class="matched">
      <td colSpan={7}>
        {trace.shown.map((span) => (
          <span key={span.id} class="matched-span">
            <Link to={linkTo('trace', { id: trace.id, span: span.id.padStart(16, '0') })}>
              {span.name || 'no name'}
            </Link>{' '}
            {showDuration(span.durationNs)}{' '}
            {span.attributes.map(([key, value], at) => (
              <code key={at}>
                {key}={value}
              </code>
            ))}
          </span>
        ))}
        {more > 0 && <span class="faint">and {more} more</span>}
      </td>
    </tr>
  );
}
