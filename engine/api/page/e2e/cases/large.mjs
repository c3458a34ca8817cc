// A trace of a hundred thousand spans: it opens, scrolls and is searched. Times are printed, not judged.

import { join } from 'node:path';
import { holds, same } from '../browser.mjs';
import { LARGE, large as requests } from '../feed.mjs';

/** Scrolls as a person does, and yields the times between frames in milliseconds. */
async function scroll(page, step) {
  return page.evaluate(async (by) => {
    const [box, times] = [document.querySelector('.rows-scroll'), []];
    let last = performance.now();
    for (let round = 0; round < 120; round++) {
      box.scrollTop = (box.scrollTop + by) % (box.scrollHeight - box.clientHeight);
      await new Promise((resolve) => requestAnimationFrame(resolve));
      times.push(performance.now() - last);
      last = performance.now();
    }
    return times.sort((a, b) => a - b);
  }, step);
}

const shown = (times) => `p50 ${times[60].toFixed(1)}, p95 ${times[114].toFixed(1)}, most ${times[119].toFixed(1)} ms`;

export async function large({ server, browser, check, spans, out }) {
  await check(`a trace of ${spans.toLocaleString('en-US')} spans`, async () => {
    for (const request of requests(spans)) await server.post(request);
    const page = await browser.page(server);
    await page.visit('/?view=engine'); // the code is there, the trace is not
    const began = performance.now();
    await page.visit(`/?view=trace&id=${LARGE}&critical=1`);
    await page.locator(`.trace[data-spans="${spans}"] .row`).first().waitFor();
    const took = Math.round(performance.now() - began);
    console.log(`       opens in ${took} ms (${await page.locator('.facts span[title]').getAttribute('title')})`);
    const rows = await page.locator('.row').count();
    holds(rows > 10 && rows < 100, `${rows} rows are in the document, expected those in sight`);
    console.log(`       frames while scrolling by 5 rows: ${shown(await scroll(page, 120))}`);
    console.log(`       frames while jumping by 7,919 rows: ${shown(await scroll(page, 190_056))}`);
    await page.locator('.rows-scroll').evaluate((box) => (box.scrollTop = box.scrollHeight));
    await page.locator(`.row[aria-rowindex="${spans}"]`).waitFor();
    await page.screenshot({ path: join(out, 'large-light.png') });
    const searched = performance.now();
    await page.getByLabel('find in this trace').fill('page.number=77777');
    await page.getByText('1 of 1').waitFor();
    console.log(`       an attribute is found in ${Math.round(performance.now() - searched)} ms`);
    await page.locator('.row.chosen').waitFor();
    await page.getByRole('complementary', { name: 'span' }).getByText('77777').waitFor();
    await page.getByRole('button', { name: 'collapse', exact: true }).first().click();
    await page.waitForFunction(() => document.querySelectorAll('.row').length === 11);
    same(await page.locator('.row').count(), 11, 'rows when all below the root are collapsed');
    for (const tab of ['flame', 'statistics', 'structure']) {
      const clicked = performance.now();
      await page.getByRole('link', { name: tab, exact: true }).click();
      await page
        .locator(tab === 'flame' ? '.flame-part' : `table.${tab} tbody tr`)
        .first()
        .waitFor();
      console.log(`       ${tab} in ${Math.round(performance.now() - clicked)} ms`);
    }
    page.nothingWrong();
    await page.context().close();
  });
}
