// Pictures of every view for a person to look at: laptop and phone, light and dark. Nothing may be wider than a phone.

import { join } from 'node:path';
import { same } from '../browser.mjs';
import { SHOP } from '../feed.mjs';

const VIEWS = {
  search: '/?limit=100',
  traceql: `/?q=${encodeURIComponent('{ resource.service.name =~ "page-.*" && duration > 10ms } | select(span.db.system)')}&matched=1`,
  trace: `/?view=trace&id=${SHOP}&critical=1&span=0000000000000005`,
  flame: `/?view=trace&id=${SHOP}&tab=flame`,
  statistics: `/?view=trace&id=${SHOP}&tab=statistics`,
  structure: `/?view=trace&id=${SHOP}&tab=structure`,
  compare: `/?view=compare&a=${'a2'.padEnd(32, '0')}&b=${SHOP}`,
  services: '/?view=services',
  engine: '/?view=engine',
};

const SCREENS = {
  light: { viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
  dark: { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' },
  phone: {
    viewport: { width: 390, height: 844 },
    colorScheme: 'light',
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  },
};

export async function pictures({ server, browser, check, out }) {
  for (const [screen, options] of Object.entries(SCREENS)) {
    await check(`pictures, ${screen}`, async () => {
      const page = await browser.page(server, options);
      for (const [name, path] of Object.entries(VIEWS)) {
        await page.visit(path);
        await page.settled();
        await page.screenshot({ path: join(out, `${name}-${screen}.png`) });
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        same(Math.max(0, over), 0, `points by which ${name} is too wide`);
      }
      page.nothingWrong();
      await page.context().close();
    });
  }
}
