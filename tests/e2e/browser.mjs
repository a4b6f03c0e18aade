// Chromium with a new empty profile, which can reach this machine only; what it asks of any other host is noted.
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--no-first-run',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
];

/** Opens a page. `seen` gathers the faults of all that the page does: requests elsewhere, errors on the console. */
export async function open() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 1000 } })).newPage();
  page.setDefaultTimeout(60_000); // a busy machine is no fault
  const seen = { elsewhere: [], errors: [] };
  page.on('request', request => {
    const { protocol, hostname } = new URL(request.url());
    if (/^(http|ws)s?:$/.test(protocol) && hostname !== '127.0.0.1') seen.elsewhere.push(request.url());
  });
  page.on('console', message => { if (message.type() === 'error') seen.errors.push(message.text()); });
  page.on('pageerror', error => seen.errors.push(String(error)));
  return { page, seen, close: () => browser.close() };
}

/** The answer to "Try it out" at the submission of a request, as it stands filled in. */
export async function submitted(page, base) {
  const block = page.locator('.opblock[id$="-submit_request"]');
  await block.locator('.opblock-summary-control').click();
  await block.locator('button.execute').waitFor();
  const [response] = await Promise.all([
    page.waitForResponse(response => response.request().method() === 'POST' && response.url() === `${base}/v1/requests`),
    block.locator('button.execute').click(),
  ]);
  return response;
}
