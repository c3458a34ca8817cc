// The page: its head, the view that the address names, and what lies over it.

import { signal } from '@preact/signals';
import { SearchView } from '../search/view';
import { told } from '../api/client';
import { Help } from './help';
import { readTraceId } from '../base/link';
import { useKeys } from './keys';
import { lazy } from './lazy';
import { Button, Link } from './parts';
import { go, linkTo, linkWith, params } from './router';
import { SettingsDialog } from './settings-dialog';
import { isDark, theme, zone } from './settings';

const TraceView = lazy(() => import('../trace/view').then((m) => m.TraceView));
const CompareView = lazy(() => import('../trace/compare-view').then((m) => m.CompareView));
const ServicesView = lazy(() => import('../services/view').then((m) => m.ServicesView));
const EngineView = lazy(() => import('../engine/view').then((m) => m.EngineView));

const VIEWS = [
  { view: 'search', label: 'Search', keys: 'g s' },
  { view: 'services', label: 'Services', keys: 'g v' },
  { view: 'map', label: 'Map', keys: 'g m' },
  { view: 'engine', label: 'Engine', keys: 'g e' },
];

const open = signal<'help' | 'settings' | null>(null);
const close = () => (open.value = null);

export function App() {
  useKeys([
    { keys: '?', about: 'this help', run: () => (open.value = open.value === 'help' ? null : 'help') },
    ...VIEWS.map(({ view, label, keys }) => ({ keys, about: label.toLowerCase(), run: () => go(linkTo(view)) })),
    { keys: 'd', about: 'dark or light', run: switchTheme },
    { keys: 'u', about: 'local time or UTC', run: switchZone },
  ]);
  return (
    <>
      <a class="skip" href="#main">
        to the content
      </a>
      <Head />
      <main id="main">
        <View />
      </main>
      {open.value === 'help' && <Help close={close} />}
      {open.value === 'settings' && <SettingsDialog close={close} />}
    </>
  );
}

function View() {
  const { view, id } = params.value;
  if (view === 'trace') return <TraceView key={id} />;
  if (view === 'compare') return <CompareView />;
  if (view === 'services' || view === 'map') return <ServicesView />;
  if (view === 'engine') return <EngineView />;
  return <SearchView />;
}

function switchTheme() {
  theme.value = isDark.value ? 'light' : 'dark';
}

function switchZone() {
  zone.value = zone.value === 'utc' ? 'local' : 'utc';
}

function Head() {
  const view = params.value.view ?? 'search';
  return (
    <header class="head">
      <Link to={linkTo('search')} class="brand" title={`Spanloom ${told.version}`}>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M2 4h12M4.5 8h7M7.5 12h7" />
        </svg>
        Spanloom
      </Link>
      <nav aria-label="views">
        {VIEWS.map((one) => (
          <a
            key={one.view}
            href={linkTo(one.view)}
            aria-current={isWithin(view, one.view) ? 'page' : undefined}
            onClick={(event) => {
              event.preventDefault();
              go(linkTo(one.view));
            }}
          >
            {one.label}
          </a>
        ))}
      </nav>
      <TraceById />
      {(told.multitenancy || params.value.tenant) && <Tenant />}
      <Button class="quiet" onClick={switchZone} title="local time or UTC (u)" aria-label="switch time zone">
        {zone.value === 'utc' ? 'UTC' : 'local'}
      </Button>
      <Button class="quiet" onClick={switchTheme} title="dark or light (d)" aria-label="switch dark and light">
        {isDark.value ? '☾' : '☀'}
      </Button>
      <Button class="quiet" onClick={() => (open.value = 'settings')} aria-label="settings" title="settings">
        ⚙
      </Button>
      <Button class="quiet" onClick={() => (open.value = 'help')} aria-label="help" title="help (?)">
        ?
      </Button>
    </header>
  );
}

/** A trace belongs to the search, whichever way it is looked at. */
function isWithin(view: string, head: string): boolean {
  return view === head || (head === 'search' && (view === 'trace' || view === 'compare'));
}

function TraceById() {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem('id') as HTMLInputElement;
    const id = readTraceId(field.value);
    if (id !== null) go(linkTo('trace', { id }));
    else field.setCustomValidity('expected 1 to 32 hexadecimal digits');
    field.reportValidity();
  };
  return (
    <form class="by-id" onSubmit={submit} role="search">
      <input
        name="id"
        placeholder="trace id"
        aria-label="trace id"
        spellcheck={false}
        autoComplete="off"
        onInput={(event) => event.currentTarget.setCustomValidity('')}
      />
    </form>
  );
}

function Tenant() {
  return (
    <label class="tenant">
      tenant
      <input
        value={params.value.tenant ?? ''}
        spellcheck={false}
        autoComplete="off"
        size={12}
        onChange={(event) => go(linkWith({ tenant: event.currentTarget.value.trim() }))}
      />
    </label>
  );
}
