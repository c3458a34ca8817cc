// Headless Chromium that notes all that must not be: console errors and warnings, exceptions, dialogs, violations of
// the Content-Security-Policy, requests to elsewhere, answers that nobody expected to fail.

import { chromium } from 'playwright-core';

export class Browser {
  static async start(executablePath) {
    const browser = new Browser();
    browser.chromium = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
    return browser;
  }

  /** A page with storage of its own. `allowed` says which answers may have a status from 400 on. */
  async page(server, { allowed = () => false, ...options } = {}) {
    const context = await this.chromium.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    const page = await context.newPage();
    const wrong = [];
    page.on('console', (message) => {
      const isAllowed = /Failed to load resource/.test(message.text()) && allowed(message.location().url);
      if (['error', 'warning'].includes(message.type()) && !isAllowed) wrong.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => wrong.push(`exception: ${error.stack ?? error}`));
    page.on('dialog', (dialog) => {
      wrong.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(server.query) && !url.startsWith('blob:')) wrong.push(`a request to ${url}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400 && !allowed(response.url()))
        wrong.push(`${response.url()} is answered ${response.status()}`);
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`policy: ${event.violatedDirective} of ${event.blockedURI} ${event.sourceFile}`);
      });
    });
    page.setDefaultTimeout(60_000);
    page.noteWrong = (what) => wrong.push(what);
    page.nothingWrong = () => {
      if (wrong.length > 0) throw new Error(wrong.join('\n       '));
    };
    page.visit = async (path) => {
      await page.goto(server.query + path);
      await page.locator('main > *').first().waitFor();
    };
    // Nothing is under way any more: no part is loading, no search, no request for some frames.
    let open = 0;
    page.on('request', () => (open += 1));
    for (const end of ['requestfinished', 'requestfailed']) page.on(end, () => (open -= 1));
    page.settled = async () => {
      for (let quiet = 0; quiet < 4; quiet++) {
        await page.waitForFunction(() => !document.querySelector('.loading, [aria-busy=true]'));
        await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 20))));
        if (open > 0) quiet = 0;
      }
    };
    return page;
  }

  async stop() {
    await this.chromium.close();
  }
}

/** Fails unless both are the same. */
export function same(found, expected, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: found ${a}, expected ${b}`);
}

/** Fails unless it holds. */
export function holds(condition, what) {
  if (!condition) throw new Error(what);
}
