// How the page is served: to whom, with which headers, how large.

import { get } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { holds, same } from '../browser.mjs';

const MOST_BYTES = 400 * 1024;
/** What is loaded before anything is seen. */
const MOST_FIRST_BYTES = 60 * 1024;

/** `fetch` unpacks bodies and hides what came; this does not. */
function ask(url, headers = {}) {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () =>
        resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }),
      );
    }).on('error', reject);
  });
}

const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

export async function serving({ server, browser, check }) {
  await check('browsers are given the page, others text', async () => {
    const page = await ask(`${server.query}/`, HTML);
    same(page.headers['content-type'], 'text/html; charset=utf-8', 'content type');
    for (const accept of [undefined, '*/*', 'application/json', 'text/plain']) {
      const answer = await ask(`${server.query}/`, accept ? { accept } : {});
      same(answer.headers['content-type'], 'text/plain; charset=utf-8', `content type for ${accept}`);
      holds(answer.body.toString().startsWith('spanloom '), 'the text begins with the name');
    }
  });

  await check('the page and its files are protected and kept', async () => {
    const page = await ask(`${server.query}/`, HTML);
    const policy = page.headers['content-security-policy'];
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]) {
      holds(policy.includes(part), `the policy has ${part}: ${policy}`);
    }
    holds(!/unsafe|\*|https?:|data:/.test(policy), `the policy lets nothing else in: ${policy}`);
    same(page.headers['x-content-type-options'], 'nosniff', 'X-Content-Type-Options');
    same(page.headers['referrer-policy'], 'no-referrer', 'Referrer-Policy');
    same(page.headers['cache-control'], 'no-cache', 'Cache-Control of the page');
    const known = await ask(`${server.query}/`, { ...HTML, 'if-none-match': page.headers.etag });
    same([known.status, known.body.length], [304, 0], 'a page that is known');
    const name = /src="\.\/(page\/index-[^"]+\.js)"/.exec(page.body)[1];
    const packed = await ask(`${server.query}/${name}`, { 'accept-encoding': 'br, gzip' });
    same(packed.headers['content-encoding'], 'gzip', 'Content-Encoding');
    holds(packed.headers['cache-control'].includes('immutable'), 'files are kept');
    same(packed.headers['x-content-type-options'], 'nosniff', 'X-Content-Type-Options of a file');
    const plain = await ask(`${server.query}/${name}`);
    same(plain.headers['content-encoding'], undefined, 'Content-Encoding for those who do not ask');
    holds(gunzipSync(packed.body).equals(plain.body), 'both are the same file');
    same((await ask(`${server.query}/page/nothing.js`)).status, 404, 'a file that is not there');
    same((await ask(`${server.query}/page/..%2Findex.html`)).status, 404, 'a path out of the folder');
  });

  await check('the page is small, and shows itself soon', async () => {
    const page = await browser.page(server);
    const sizes = new Map();
    page.on('response', (response) => {
      if (response.url().includes('/page/')) sizes.set(response.url(), Number(response.headers()['content-length']));
    });
    await page.visit('/?view=engine');
    await page.locator('.figures').waitFor();
    const first = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    await page.visit('/?q=%7B%20%7D');
    await page.locator('.cm-content').waitFor();
    await page.visit('/?view=services&spans=all');
    await page.locator('.chart canvas').first().waitFor();
    await page.visit('/?view=trace&id=1');
    await page.visit('/?view=compare');
    await page.locator('.compare').waitFor();
    const all = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    console.log(
      `       the first view has ${(first / 1024).toFixed(1)} KiB of files, all have ${(all / 1024).toFixed(1)} KiB, packed`,
    );
    holds(first < MOST_FIRST_BYTES, `the first view has ${first} bytes, expected less than ${MOST_FIRST_BYTES}`);
    holds(all < MOST_BYTES, `all files have ${all} bytes, expected less than ${MOST_BYTES}`);
    const paints = [];
    for (let round = 0; round < 5; round++) {
      const fresh = await browser.page(server);
      await fresh.visit('/');
      await fresh.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
      paints.push(await fresh.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
      fresh.nothingWrong();
      await fresh.context().close();
    }
    console.log(`       first paint after ${paints.map((paint) => Math.round(paint)).join(', ')} ms`);
    page.nothingWrong();
    await page.context().close();
  });
}
