// What the keys do here, and where more is said.

import { boundKeys } from './keys';
import { Dialog } from './parts';

const NAMES: Record<string, string> = { ArrowDown: '↓', ArrowUp: '↑', ArrowLeft: '←', ArrowRight: '→', ' ': 'space' };

export function Help({ close }: { close: () => void }) {
  const groups = boundKeys().filter((bindings) => bindings.length > 0);
  return (
    <Dialog title="Keys" close={close}>
      {groups.map((bindings, at) => (
        <dl class="keys" key={at}>
          {bindings.map(({ keys, about }) => (
            <div key={keys}>
              <dt>
                {keys.split(' ').map((key) => (
                  <kbd key={key}>{NAMES[key] ?? key}</kbd>
                ))}
              </dt>
              <dd>{about}</dd>
            </div>
          ))}
        </dl>
      ))}
      <p class="faint">
        Each view is in the address: links, back and forward work. TraceQL is described in docs/TRACEQL.md, this page in
        docs/PAGE.md.
      </p>
    </Dialog>
  );
}
