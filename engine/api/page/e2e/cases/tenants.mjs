// A server that wants a tenant named.

import { holds, same } from '../browser.mjs';
import { SHOP, shop } from '../feed.mjs';

export async function tenants({ tenanted, browser, check }) {
  await check('tenants are named in the page', async () => {
    await tenanted.post(shop(SHOP, true), { 'X-Scope-OrgID': 'one' });
    const page = await browser.page(tenanted, { allowed: (url) => url.includes('/api/') });
    await page.visit('/');
    await page.getByText('no org id').waitFor();
    await page.getByLabel('tenant').fill('one');
    await page.getByLabel('tenant').press('Enter');
    await page.locator('table.traces tbody tr').first().waitFor();
    holds(page.url().includes('tenant=one'), 'the tenant is in the address');
    await page.locator('table.traces tbody a').first().click();
    await page.locator('.trace[data-spans="6"]').waitFor();
    holds(page.url().includes('tenant=one'), 'it goes along');
    await page.getByLabel('tenant').fill('two');
    await page.getByLabel('tenant').press('Enter');
    await page.getByText('There is no trace').waitFor();
    same(await page.locator('.row').count(), 0, 'rows of another tenant');
    page.nothingWrong();
    await page.context().close();
  });
}
