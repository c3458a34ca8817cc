// The page in a real browser, served by a real binary: `node e2e/check.mjs --spanloom PATH --chromium PATH --out FOLDER`.
// Starts servers on loopback, feeds them, drives headless Chromium, writes pictures for a person to look at, and counts
// what passed and failed into `result.txt`. `cargo xtask page` runs it.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Browser } from './browser.mjs';
import { attack } from './cases/attack.mjs';
import { large } from './cases/large.mjs';
import { pictures } from './cases/pictures.mjs';
import { search } from './cases/search.mjs';
import { serving } from './cases/serving.mjs';
import { services } from './cases/services.mjs';
import { tenants } from './cases/tenants.mjs';
import { trace } from './cases/trace.mjs';
import { hostile, OTHER, SHOP, shop } from './feed.mjs';
import { Server } from './server.mjs';

const { values } = parseArgs({
  options: {
    spanloom: { type: 'string' },
    chromium: { type: 'string' },
    out: { type: 'string' },
    only: { type: 'string' },
  },
});
const SPANS = 100_000;
const LOADED = 3000;

const counts = { passed: 0, failed: 0 };

/** Runs one check; whatever goes wrong in it, the next one runs. */
async function check(name, run) {
  if (values.only !== undefined && !name.includes(values.only)) return;
  const began = performance.now();
  try {
    await run();
    counts.passed += 1;
    console.log(`ok     ${name} (${Math.round(performance.now() - began)} ms)`);
  } catch (problem) {
    counts.failed += 1;
    console.log(`FAILED ${name}: ${problem.message}`);
  }
}

async function feed(server) {
  await server.post(shop(SHOP, true));
  await server.post(shop(OTHER, false));
  await server.post(hostile());
  const load = ['load', '--spans', String(LOADED), '--endpoint', server.otlp, '--query', server.query];
  execFileSync(values.spanloom, load, { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function main() {
  mkdirSync(values.out, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'spanloom-page-'));
  const [servers, began] = [[], performance.now()];
  let browser;
  try {
    const server = await Server.start(values.spanloom, folder, 'one');
    servers.push(server);
    const tenanted = await Server.start(values.spanloom, folder, 'tenants', ['multitenancy: true']);
    servers.push(tenanted);
    await feed(server);
    console.log(`the servers run and are fed, ${Math.round(performance.now() - began)} ms`);
    browser = await Browser.start(values.chromium);
    const world = { server, tenanted, browser, check, spans: SPANS, out: values.out };
    for (const run of [serving, search, trace, services, tenants, attack, pictures, large]) await run(world);
  } catch (problem) {
    for (const server of servers) console.log(readFileSync(server.log, 'utf8').split('\n').slice(-30).join('\n'));
    throw problem;
  } finally {
    await browser?.stop();
    for (const server of servers) await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  writeFileSync(join(values.out, 'result.txt'), `${counts.passed} ${counts.failed}\n`);
  process.exitCode = counts.failed > 0 ? 1 : 0;
}

await main();
