// Searching: by form, by TraceQL, with mistakes, page by page, live; and what is kept.

import { holds, same } from '../browser.mjs';
import { request, SHOP, span } from '../feed.mjs';

const rows = (page) => page.locator('table.traces tbody tr:not(.matched)');

export async function search({ server, browser, check }) {
  await check('search by form', async () => {
    const page = await browser.page(server);
    await page.visit('/');
    await page.getByLabel('service').fill('page-pay');
    await page.getByLabel('status').selectOption('error');
    await page.getByLabel('min duration').fill('50ms');
    await page.getByLabel('tags').fill('http.status_code=504');
    await page.getByRole('button', { name: 'search', exact: true }).click();
    await rows(page).first().waitFor();
    await page.waitForFunction(() => document.querySelectorAll('table.traces tbody tr').length === 1);
    holds((await rows(page).first().innerText()).includes('POST /checkout'), 'the root is shown');
    const shown = await page.locator('.query-line').innerText();
    same(
      shown,
      '{ resource.service.name = "page-pay" && status = error && duration >= 50ms && (.http.status_code = 504 || .http.status_code = "504") }',
      'the query',
    );
    holds(page.url().includes('service=page-pay'), 'the form is in the address');
    await page.reload();
    await rows(page).first().waitFor();
    same(await page.getByLabel('service').inputValue(), 'page-pay', 'the form after loading anew');
    await page.goBack();
    await page.waitForFunction(() => document.querySelectorAll('table.traces tbody tr').length > 1);
    same(await page.getByLabel('service').inputValue(), '', 'the form after going back');
    page.nothingWrong();
    await page.context().close();
  });

  await check('search by TraceQL, with completion', async () => {
    const page = await browser.page(server);
    await page.visit('/');
    await page.getByRole('button', { name: 'TraceQL' }).click();
    const editor = page.locator('.cm-content');
    await editor.click();
    await page.keyboard.press('Control+a');
    await page.keyboard.type('{ resource.service.n');
    await page.locator('.cm-tooltip-autocomplete li').getByText('resource.service.name').first().waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText('{ resource.service.name = ');
    await page.keyboard.type('"page-c');
    await page.locator('.cm-tooltip-autocomplete li').getByText('"page-cart"').first().waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText('{ resource.service.name = "page-cart" && .db.rows = 42 }');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelectorAll('table.traces tbody tr').length === 2);
    holds(new URL(page.url()).searchParams.get('q').includes('.db.rows = 42'), 'the query is in the address');
    await page.getByRole('button', { name: 'matched spans' }).click();
    await page.locator('.matched', { hasText: 'SELECT items' }).first().getByText('db.rows=42').waitFor();
    await page.getByRole('button', { name: 'searches' }).click();
    await page.getByRole('button', { name: 'save' }).click();
    await page.reload();
    await page.getByRole('button', { name: 'searches' }).click();
    same(await page.locator('.kept a').count(), 2, 'searches that are kept, recent and saved');
    page.nothingWrong();
    await page.context().close();
  });

  await check('a malformed query is underlined where it is wrong', async () => {
    const page = await browser.page(server, { allowed: (url) => url.includes('/api/search?') });
    await page.visit(`/?q=${encodeURIComponent('{ .a = 1 && status = }')}`);
    await page.locator('.notice.error').waitFor();
    holds((await page.locator('.notice.error').innerText()).includes('line 1, column 22'), 'the place is told');
    same(await page.locator('.cm-lintRange-error').innerText(), '}', 'what is underlined');
    same(await rows(page).count(), 0, 'rows');
    page.nothingWrong();
    await page.context().close();
  });

  await check('page by page, sorted', async () => {
    const page = await browser.page(server);
    await page.visit('/?limit=20');
    await page.waitForFunction(() => document.querySelectorAll('table.traces tbody tr').length === 20);
    const first = await rows(page).first().locator('a').getAttribute('href');
    await page.getByRole('link', { name: 'older' }).click();
    await page.waitForFunction((before) => {
      const link = document.querySelector('table.traces tbody a');
      return link && link.getAttribute('href') !== before && document.querySelector('.results[aria-busy=false]');
    }, first);
    await page.goBack();
    await page.waitForFunction(
      (before) => document.querySelector('table.traces tbody a')?.getAttribute('href') === before,
      first,
    );
    await page.getByRole('columnheader', { name: 'Spans' }).getByRole('link').click();
    await page.waitForFunction(() => document.querySelector('th[aria-sort=descending]')?.textContent.includes('Spans'));
    const spans = (await rows(page).locator('td:nth-child(5)').allInnerTexts()).map(Number);
    same(
      spans,
      [...spans].sort((a, b) => b - a),
      'spans in descending order',
    );
    page.nothingWrong();
    await page.context().close();
  });

  await check('live tail follows what comes', async () => {
    const page = await browser.page(server);
    await page.visit('/?service=page-live&live=1');
    await page.getByText('following: 0 traces').waitFor();
    for (const [trace, name] of [
      ['c1', 'first to come'],
      ['c2', 'next to come'],
    ]) {
      const now = Date.now() - (await import('../feed.mjs')).BASE_MS;
      await server.post(request({ 'page-live': [span(trace.padEnd(32, '0'), 1, 0, name, now, now + 5)] }));
      await page.getByText(name).waitFor();
    }
    same(await rows(page).count(), 2, 'rows');
    holds((await rows(page).first().innerText()).includes('next to come'), 'the newest is first');
    page.nothingWrong();
    await page.context().close();
  });

  await check('keys: help, choose, open', async () => {
    const page = await browser.page(server);
    await page.visit('/?service=page-shop');
    await rows(page).first().waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    await page.locator('tr[aria-selected=true]').waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.locator('.trace .row').first().waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('e');
    await page.locator('.figures').waitFor();
    await page.getByLabel('trace id').fill(SHOP.slice(0, 32));
    await page.getByLabel('trace id').press('Enter');
    await page.locator('.trace[data-spans="6"]').waitFor();
    page.nothingWrong();
    await page.context().close();
  });
}
