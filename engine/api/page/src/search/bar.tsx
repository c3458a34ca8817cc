// What is asked: the form or the editor, the range, and what starts the search.

import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { tagValues } from '../api/tags';
import { Button } from '../app/parts';
import { RangePicker } from '../app/range';
import { go, linkWith } from '../app/router';
import { Editor } from '../editor/editor';
import { EMPTY_FORM, type Form, formQuery, quote } from './query';
import { LIMITS, type SearchState } from './state';

interface Props {
  state: SearchState;
  query: { q: string } | { wrong: string };
  range: { from: number; to: number } | null;
  wrong: string;
  again: () => void;
  actions: ComponentChildren;
}

/** Goes to the search with these changes; asks again where nothing changed. */
function submit(change: Record<string, string | number | undefined>, again: () => void) {
  const before = location.href;
  go(linkWith({ ...change, cursor: undefined }));
  if (location.href === before) again();
}

export function SearchBar({ state, query, range, wrong, again, actions }: Props) {
  const [isWriting, setIsWriting] = useState(state.typed !== '');
  useEffect(() => setIsWriting(state.typed !== ''), [state.typed]);
  const toForm = () => {
    setIsWriting(false);
    if (state.typed !== '') submit({ q: undefined }, again);
  };
  return (
    <section class="search-bar" aria-label="query">
      <div class="modes">
        <div class="switch" role="group" aria-label="how to ask">
          <Button pressed={!isWriting} onClick={toForm}>
            form
          </Button>
          <Button pressed={isWriting} onClick={() => setIsWriting(true)}>
            TraceQL
          </Button>
        </div>
        <RangePicker from={state.from} to={state.to} set={(from, to) => submit({ from, to }, again)} />
        <label class="limit">
          limit
          <select value={state.limit} onChange={(event) => submit({ limit: event.currentTarget.value }, again)}>
            {LIMITS.map((limit) => (
              <option key={limit}>{limit}</option>
            ))}
          </select>
        </label>
        <span class="grow" />
        {actions}
      </div>
      {isWriting ? (
        <Written state={state} query={query} range={range} wrong={wrong} again={again} />
      ) : (
        <FormFields state={state} range={range} again={again} />
      )}
    </section>
  );
}

function Written({ state, query, range, wrong, again }: Omit<Props, 'actions'>) {
  const start = state.typed !== '' ? state.typed : 'q' in query ? query.q : '';
  const [text, setText] = useState(start);
  useEffect(() => setText(start), [start]);
  const run = (q: string) => submit({ ...noForm(), q }, again);
  return (
    <form
      class="written"
      onSubmit={(event) => {
        event.preventDefault();
        run(text);
      }}
    >
      <Editor start={start} range={range} wrong={text === start ? wrong : ''} onChange={setText} onSubmit={run} />
      <button type="submit" class="primary">
        search
      </button>
    </form>
  );
}

const noForm = () => Object.fromEntries(Object.keys(EMPTY_FORM).map((name) => [name, undefined]));

type FormProps = { state: SearchState; range: { from: number; to: number } | null; again: () => void };

function FormFields({ state, range, again }: FormProps) {
  const [form, setForm] = useState(state.form);
  const known = JSON.stringify(state.form);
  useEffect(() => setForm(state.form), [known]);
  const set = (name: keyof Form) => (event: { currentTarget: HTMLInputElement | HTMLSelectElement }) =>
    setForm({ ...form, [name]: event.currentTarget.value });
  const written = formQuery(form);
  const within = form.service === '' ? '' : `{ resource.service.name = ${quote(form.service)} }`;
  return (
    <form
      class="fields"
      onSubmit={(event) => {
        event.preventDefault();
        submit({ ...form, q: undefined }, again);
      }}
    >
      <Suggested
        label="service"
        field="resource.service.name"
        value={form.service}
        range={range}
        set={set('service')}
      />
      <Suggested
        label="operation"
        field="name"
        q={within}
        value={form.operation}
        range={range}
        set={set('operation')}
      />
      <label>
        status
        <select value={form.status} onChange={set('status')}>
          <option value="">any</option>
          <option>error</option>
          <option>ok</option>
          <option>unset</option>
        </select>
      </label>
      <label class="short">
        min duration
        <input value={form.min} placeholder="100ms" onInput={set('min')} spellcheck={false} />
      </label>
      <label class="short">
        max duration
        <input value={form.max} placeholder="2s" onInput={set('max')} spellcheck={false} />
      </label>
      <label class="wide">
        tags
        <input
          value={form.tags}
          placeholder='http.status_code=500 user="a b"'
          onInput={set('tags')}
          spellcheck={false}
        />
      </label>
      <button type="submit" class="primary">
        search
      </button>
      <p class="query-line">
        <code>{'q' in written ? written.q : written.wrong}</code>
      </p>
    </form>
  );
}

interface SuggestedProps {
  label: string;
  field: string;
  q?: string;
  value: string;
  range: { from: number; to: number } | null;
  set: (event: { currentTarget: HTMLInputElement }) => void;
}

/** An input with the values that there are, asked for when it is first used. */
function Suggested({ label, field, q = '', value, range, set }: SuggestedProps) {
  const [values, setValues] = useState<string[]>([]);
  const list = `values-${label}`;
  const ask = () => {
    if (!range) return;
    tagValues(field, range, q).then(
      (found) => setValues(found.map((one) => one.value)),
      () => setValues([]),
    );
  };
  return (
    <label>
      {label}
      <input
        value={value}
        list={list}
        placeholder="any"
        onInput={set}
        onFocus={ask}
        spellcheck={false}
        autoComplete="off"
      />
      <datalist id={list}>
        {values.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </label>
  );
}
