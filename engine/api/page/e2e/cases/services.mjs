// Services over time, their map, and the engine.

import { holds, same } from '../browser.mjs';

const GRAPH = {
  nodes: [
    { name: 'front', kind: 'service', spans: 100, errors: 1 },
    { name: 'back', kind: 'service', spans: 90, errors: 0 },
    { name: 'store', kind: 'database', spans: 50, errors: 5 },
  ],
  edges: [
    { client: 'front', server: 'back', calls: 90, errors: 1, p50Ms: 5, p95Ms: 20.5 },
    { client: 'back', server: 'store', calls: 50, errors: 5, p50Ms: 1, p95Ms: 2 },
    { client: 'back', server: 'front', calls: 1, errors: 0, p50Ms: 1, p95Ms: 1 },
  ],
  traces: 100,
  complete: false,
  message: 'the newest 100 of 200 traces',
};

const member = (name, status) => ({
  name,
  me: name === 'a',
  state: 'active',
  status,
  removed: false,
  zone: 'z1',
  roles: ['all'],
  gossip: '10.0.0.1:7946',
  peer: '',
  api: name === 'a' ? '10.0.0.1:3200' : '10.0.0.2:3200',
  generation: 1,
  renewal: 0,
  sinceMs: 1,
  tokenCount: 128,
  ownedPercent: 50,
  firstPercent: 50,
  liveBytes: name === 'a' ? 12_345_678 : null,
  spansPerSecond: name === 'a' ? 1500 : null,
});
const RING = {
  enabled: true,
  me: 'a',
  label: 'test',
  notes: ['b does not answer'],
  fingerprint: '0123456789abcdef',
  replication: 1,
  zoneAware: false,
  ranges: 256,
  ringChanges: 3,
  ringSinceMs: 1,
  members: [member('a', 'up'), member('b', 'down')],
  gossip: {},
};

export async function services({ server, browser, check }) {
  await check('rates, errors and durations of services and operations', async () => {
    const page = await browser.page(server);
    await page.visit('/?view=services');
    await page.locator('.chart canvas').nth(2).waitFor();
    const row = page.locator('table.red tbody tr', { hasText: 'page-pay' });
    holds((await row.innerText()).includes('50 %'), `half of the spans of page-pay fail: ${await row.innerText()}`);
    await row.getByRole('link').click();
    await page.locator('table.red tbody tr', { hasText: 'POST /charge' }).waitFor();
    await page.getByRole('link', { name: 'all spans' }).click();
    await page.locator('table.red tbody tr', { hasText: 'retry' }).waitFor();
    await page.locator('.chart canvas').first().waitFor();
    const data = await page.locator('.chart .u-over').first().boundingBox();
    await page.mouse.move(data.x + data.width - 30, data.y + 10);
    await page.mouse.click(data.x + data.width - 30, data.y + 10);
    await page.locator('.search').waitFor();
    holds(new URL(page.url()).searchParams.get('q').includes('page-pay'), 'a click leads to traces of the service');
    page.nothingWrong();
    await page.context().close();
  });

  await check('the map of services, from the server', async () => {
    const page = await browser.page(server, { allowed: (url) => url.includes('/api/service-graph') });
    await page.visit('/?view=map');
    const graph = await fetch(
      `${server.query}/api/service-graph?start=${Math.floor(Date.now() / 1000) - 3600}&end=${Math.floor(Date.now() / 1000)}`,
    );
    if (graph.status === 404) await page.getByText('This server has no map of services').waitFor();
    else await page.locator('.map .box').first().waitFor();
    page.nothingWrong();
    await page.context().close();
  });

  await check('the map of services, drawn', async () => {
    const page = await browser.page(server);
    await page.route('**/api/service-graph*', (route) => route.fulfill({ json: GRAPH }));
    await page.visit('/?view=map');
    same(await page.locator('.map .box .name').allTextContents(), ['front', 'back', 'store'], 'services');
    same(await page.locator('.map .edge').count(), 3, 'edges');
    await page.getByText('the newest 100 of 200 traces').waitFor();
    const x = async (name) => (await page.locator('.map .box', { hasText: name }).boundingBox()).x;
    holds((await x('front')) < (await x('back')) && (await x('back')) < (await x('store')), 'callers stand left');
    await page.getByLabel('database store').click();
    await page.waitForFunction(() => document.querySelectorAll('table.calls tbody tr').length === 1);
    await page.locator('table.calls').getByRole('link', { name: 'traces' }).click();
    await page.locator('.search').waitFor();
    same(
      new URL(page.url()).searchParams.get('q'),
      '{ resource.service.name = "back" } >> { resource.service.name = "store" }',
      'the query of a call',
    );
    page.nothingWrong();
    await page.context().close();
  });

  await check('the engine', async () => {
    const page = await browser.page(server);
    await page.visit('/?view=engine');
    await page.getByText('This server is alone').waitFor();
    holds((await page.locator('.engine').innerText()).includes('log: sync a group'), 'stages are shown');
    await page.waitForFunction(() => !document.querySelector('.figures dd').textContent.includes('…'));
    page.nothingWrong();
    await page.context().close();
  });

  await check('the engine of a cluster', async () => {
    const page = await browser.page(server);
    await page.route('**/ring?*', (route) => route.fulfill({ json: RING }));
    await page.visit('/?view=engine');
    await page.getByRole('row', { name: /^b / }).getByText('down').waitFor();
    await page.getByText('b does not answer').waitFor();
    same(
      await page.getByRole('link', { name: '10.0.0.2:3200' }).getAttribute('href'),
      'http://10.0.0.2:3200/',
      'the link of a node',
    );
    page.nothingWrong();
    await page.context().close();
  });
}
