// Settings, kept in this browser.

import { fillTemplate } from '../base/link';
import { Dialog, Notice } from './parts';
import { logsTemplate, theme, type Theme, zone } from './settings';
import type { Zone } from '../base/time';

/** What a template may name; the values here are only for trying it. */
export const LOG_NAMES = { traceId: '', spanId: '', service: '', startMs: '', endMs: '', startNs: '', endNs: '' };

export function SettingsDialog({ close }: { close: () => void }) {
  const template = logsTemplate.value;
  return (
    <Dialog title="Settings" close={close}>
      <div class="settings">
        <label>
          Appearance
          <select value={theme.value} onChange={(event) => (theme.value = event.currentTarget.value as Theme)}>
            <option value="auto">as the system has it</option>
            <option value="light">light</option>
            <option value="dark">dark</option>
          </select>
        </label>
        <label>
          Times
          <select value={zone.value} onChange={(event) => (zone.value = event.currentTarget.value as Zone)}>
            <option value="local">local</option>
            <option value="utc">UTC</option>
          </select>
        </label>
        <label>
          Link to logs
          <textarea
            rows={3}
            value={template}
            spellcheck={false}
            placeholder='https://grafana.example/explore?query={app="x"}|="${traceId}"&from=${startMs}&to=${endMs}'
            onInput={(event) => (logsTemplate.value = event.currentTarget.value.trim())}
          />
        </label>
        <p class="faint">
          Names that are filled in:{' '}
          {Object.keys(LOG_NAMES)
            .map((name) => `\${${name}}`)
            .join(' ')}
          . It must begin with http:// or https:// and name its host.
        </p>
        {template !== '' && fillTemplate(template, LOG_NAMES) === null && (
          <Notice kind="error">this is no such template; no link is shown</Notice>
        )}
      </div>
    </Dialog>
  );
}
