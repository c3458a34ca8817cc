// The list of recent and saved searches, and saving one.

import { useState } from 'preact/hooks';
import { Button, Dialog, Link } from '../app/parts';
import { linkTo } from '../app/router';
import { forget, type KeptSearch, recent, save, saved } from './kept';
import type { SearchState } from './state';

export function Kept({ state, query }: { state: SearchState; query: { q: string } | { wrong: string } }) {
  const [isOpen, setIsOpen] = useState(false);
  const close = () => setIsOpen(false);
  const q = 'q' in query ? query.q : '';
  const isSaved = saved.value.some((one) => one.q === q);
  return (
    <>
      <Button onClick={() => setIsOpen(true)}>searches</Button>
      {isOpen && (
        <Dialog title="Searches" close={close}>
          {q !== '' && !isSaved && (
            <p>
              <code class="clip">{q}</code>{' '}
              <Button onClick={() => save({ q, from: state.from, to: state.to })}>save</Button>
            </p>
          )}
          <List title="Saved" searches={saved.value} close={close} canForget />
          <List title="Recent" searches={recent.value} close={close} />
        </Dialog>
      )}
    </>
  );
}

type ListProps = { title: string; searches: KeptSearch[]; close: () => void; canForget?: boolean };

function List({ title, searches, close, canForget }: ListProps) {
  return (
    <section>
      <h3>{title}</h3>
      {searches.length === 0 && <p class="faint">none</p>}
      <ul class="plain kept">
        {searches.map((one) => (
          <li key={one.q}>
            <span onClick={close}>
              <Link to={linkTo('search', { q: one.q, from: one.from, to: one.to })}>
                <code>{one.q}</code>
              </Link>
            </span>
            <span class="faint">
              {one.from} – {one.to}
            </span>
            {canForget && (
              <Button class="small quiet" aria-label={`forget ${one.q}`} onClick={() => forget(one)}>
                ×
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
