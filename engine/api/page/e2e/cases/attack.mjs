// Markup, scripts and addresses of scripts in names, keys, values, events and links: all of it is text.

import { holds, same } from '../browser.mjs';
import { HOSTILE } from '../feed.mjs';

const VIEWS = [
  '/?service=page-shop',
  '/?q=%7B%20resource.service.name%20%3D~%20%22page-hostile.*%22%20%7D',
  `/?view=trace&id=${HOSTILE}`,
  `/?view=trace&id=${HOSTILE}&tab=flame`,
  `/?view=trace&id=${HOSTILE}&tab=statistics`,
  `/?view=trace&id=${HOSTILE}&tab=structure`,
  `/?view=compare&a=${HOSTILE}&b=${HOSTILE}`,
  '/?view=services&spans=all',
  // What an address that somebody sends may hold.
  '/?from=%3Cscript%3Ealert(1)%3C%2Fscript%3E',
  '/?view=trace&id=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E',
  '/?service=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E',
  '/?view=trace&id=..%2F..%2F..%2Fshutdown',
  '/?view=compare&a=..%2F..%2F..%2Fshutdown&b=..',
  '/?view=%3Cscript%3E&tab=__proto__&sort=constructor-up',
];

/** What the page itself never makes, and text never may. */
async function isClean(page, where) {
  const found = await page.evaluate(() => ({
    wasHit: globalThis.wasHit ?? 0,
    elements: document.querySelectorAll('#app img, #app script, #app iframe, #app object, #app [onerror]').length,
    scripts: document.scripts.length,
    links: [...document.querySelectorAll('#app a[href]')].map((a) => a.protocol).filter((p) => !/^https?:$/.test(p)),
  }));
  same(found, { wasHit: 0, elements: 0, scripts: 1, links: [] }, where);
}

export async function attack({ server, browser, check }) {
  await check('what senders and addresses say stays text', async () => {
    const page = await browser.page(server, { allowed: (url) => url.includes('/api/') });
    const asked = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    for (const view of VIEWS) {
      await page.visit(view);
      await page.settled();
      await isClean(page, view);
    }
    same(
      asked.filter((path) => !/^\/(api\/|page\/|$)/.test(path)),
      [],
      'what else was asked for',
    );
    page.nothingWrong();
    await page.context().close();
  });

  await check('what a hostile span says stays text', async () => {
    const page = await browser.page(server);
    await page.visit(`/?view=trace&id=${HOSTILE}`);
    await page.locator('.row').first().click();
    const detail = page.getByRole('complementary', { name: 'span' });
    await detail.getByText('javascript:window.wasHit=1').first().waitFor();
    const text = await detail.innerText();
    holds(text.split('<script>window.wasHit=1</script>').length > 8, 'markup is shown as it was sent');
    same(await detail.locator('.value a').count(), 0, 'links from values that are no addresses of http');
    await isClean(page, 'the panel');
    await page.locator('.scatter, .minimap canvas').first().hover();
    await detail.locator('a[aria-label^="filter for <img"]').first().click();
    await page.locator('table.traces tbody tr').first().waitFor();
    await page.locator('.cm-content').waitFor();
    await isClean(page, 'the search that it leads to');
    same(await page.locator('table.traces tbody tr').count(), 1, 'traces with that key and value');
    page.nothingWrong();
    await page.context().close();
  });
}
