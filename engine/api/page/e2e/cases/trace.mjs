// A trace: rows, collapsing, critical path, what a span says, finding, other views, comparison, download.

import { readFileSync } from 'node:fs';
import { holds, same } from '../browser.mjs';
import { OTHER, SHOP } from '../feed.mjs';

const names = (page) => page.locator('.row .op').allInnerTexts();

export async function trace({ server, browser, check }) {
  await check('a trace as a waterfall, collapsed and expanded', async () => {
    const page = await browser.page(server);
    await page.visit(`/?view=trace&id=${SHOP}`);
    await page.locator('.row').nth(5).waitFor();
    same(
      await names(page),
      ['POST /checkout', 'load cart', 'GET /cart', 'SELECT items', 'POST /charge', 'retry'],
      'rows',
    );
    holds((await page.locator('.facts').innerText()).includes('200 ms'), 'the duration is shown');
    await page.getByText('not yet complete').waitFor();
    await page.locator('.row', { hasText: 'load cart' }).getByRole('button', { name: 'collapse' }).click();
    same(await names(page), ['POST /checkout', 'load cart', 'POST /charge', 'retry'], 'rows when one is collapsed');
    await page.getByRole('button', { name: 'expand all' }).click();
    same((await names(page)).length, 6, 'rows when all are expanded');
    const bar = await page.locator('.row', { hasText: 'retry' }).locator('.bar').boundingBox();
    const root = await page.locator('.row').first().locator('.bar').boundingBox();
    same(Math.round((100 * (bar.x - root.x)) / root.width), 50, 'where the bar of a span begins, in percent');
    page.nothingWrong();
    await page.context().close();
  });

  await check('the critical path', async () => {
    const page = await browser.page(server);
    await page.visit(`/?view=trace&id=${SHOP}`);
    await page.getByRole('button', { name: 'critical path' }).click();
    await page.locator('.critical').first().waitFor();
    const of = (name) => page.locator('.row', { hasText: name }).locator('.critical').count();
    same([await of('POST /checkout'), await of('retry'), await of('SELECT items')], [3, 1, 1], 'stretches');
    holds(page.url().includes('critical=1'), 'it is in the address');
    page.nothingWrong();
    await page.context().close();
  });

  await check('what a span says, and filters for it', async () => {
    const page = await browser.page(server);
    await page.visit(`/?view=trace&id=${SHOP}`);
    await page.locator('.row', { hasText: 'SELECT items' }).click();
    const detail = page.getByRole('complementary', { name: 'span' });
    await detail.getByText('db.system').waitFor();
    await detail.getByLabel('copy the value of db.system').click();
    await detail.getByText('copied').waitFor();
    const link = detail.getByRole('link', { name: 'https://example.org/doc?a=1' });
    same(await link.getAttribute('rel'), 'noopener noreferrer', 'rel of a link to elsewhere');
    await page.keyboard.press('ArrowDown');
    await detail.getByText('Timeout').waitFor();
    await detail.getByText('it went wrong').waitFor();
    await page.keyboard.press('ArrowUp');
    await detail.getByLabel('filter for db.rows').click();
    await page.waitForFunction(() => document.querySelectorAll('table.traces tbody tr').length === 2);
    await page.goBack();
    await detail.getByText('db.system').waitFor();
    page.nothingWrong();
    await page.context().close();
  });

  await check('finding within a trace', async () => {
    const page = await browser.page(server);
    await page.visit(`/?view=trace&id=${SHOP}`);
    await page.locator('.row').nth(5).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('db.rows=42');
    await page.getByText('1 of 1').waitFor();
    same(await page.locator('.row.chosen .op').innerText(), 'SELECT items', 'the match is chosen');
    await page.getByLabel('find in this trace').fill('page-cart');
    await page.getByText('of 2').waitFor();
    page.nothingWrong();
    await page.context().close();
  });

  await check('flame graph, statistics, structure', async () => {
    const page = await browser.page(server);
    await page.visit(`/?view=trace&id=${SHOP}&tab=flame`);
    await page.locator('.flame-part').nth(5).waitFor();
    await page.locator('.flame-part', { hasText: 'POST /charge' }).click();
    await page.waitForFunction(() => document.querySelectorAll('.flame-part').length === 3);
    await page.keyboard.press('3');
    await page.locator('table.statistics tbody tr').nth(5).waitFor();
    await page.getByRole('link', { name: 'service', exact: true }).click();
    await page.waitForFunction(() => document.querySelectorAll('table.statistics tbody tr').length === 3);
    await page.keyboard.press('4');
    await page.locator('table.structure tbody tr').nth(5).waitFor();
    page.nothingWrong();
    await page.context().close();
  });

  await check('two traces are compared', async () => {
    const page = await browser.page(server);
    await page.visit('/?service=page-shop');
    for (const box of [0, 1]) await page.locator('table.traces input[type=checkbox]').nth(box).check();
    await page.getByRole('link', { name: 'compare the two' }).click();
    await page.locator('table.differences tbody tr').nth(5).waitFor();
    await page.visit(`/?view=compare&a=${OTHER}&b=${SHOP}`);
    const retry = page.locator('table.differences tr', { hasText: 'retry' });
    await retry.getByText('only in B').waitFor();
    await page.getByLabel('only what differs').check();
    await page.waitForFunction(() => document.querySelectorAll('table.differences tbody tr').length === 3);
    page.nothingWrong();
    await page.context().close();
  });

  await check('a trace is downloaded, and linked to its logs', async () => {
    const page = await browser.page(server);
    await page.visit(`/?view=trace&id=${SHOP}`);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'JSON' }).click(),
    ]);
    const otlp = JSON.parse(readFileSync(await download.path(), 'utf8'));
    same(otlp.resourceSpans.flatMap((one) => one.scopeSpans.flatMap((scope) => scope.spans)).length, 6, 'spans');
    await page.getByRole('button', { name: 'settings' }).click();
    const template = page.getByLabel('Link to logs');
    await template.fill('javascript:alert("${traceId}")');
    await page.getByText('this is no such template').waitFor();
    await template.fill('https://logs.example/x?q=${traceId}&s=${service}');
    await page.keyboard.press('Escape');
    const logs = page.getByRole('link', { name: 'logs ↗' });
    same(await logs.getAttribute('href'), `https://logs.example/x?q=${SHOP}&s=page-shop`, 'the link');
    same(await logs.getAttribute('rel'), 'noopener noreferrer', 'rel');
    page.nothingWrong();
    await page.context().close();
  });

  await check('a trace that is not there', async () => {
    const page = await browser.page(server);
    await page.visit('/?view=trace&id=123');
    await page.getByText(`There is no trace ${'123'.padStart(32, '0')}`).waitFor();
    await page.visit('/?view=trace&id=12x');
    await page.getByText('"12x" is no trace id').waitFor();
    page.nothingWrong();
    await page.context().close();
  });
}
