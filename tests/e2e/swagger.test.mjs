// A person opens /ui/, logs in as the client, submits a request, and comes back later; each test goes on where the one before ended.
// From the environment: BASE (where the gateway is, as a browser sees it), CLIENT_ID, CLIENT_SECRET, SHOTS (a folder for pictures).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { open } from './browser.mjs';

const { BASE, CLIENT_ID, CLIENT_SECRET, SHOTS } = process.env;
let page, seen, close, submitted;

before(async () => ({ page, seen, close } = await open()));
after(() => close?.());

/** The part of the page that belongs to an operation, opened and ready to be filled in. */
async function tryOut(id) {
  const block = page.locator(`.opblock[id$="-${id}"]`);
  if (!(await block.getAttribute('class')).includes('is-open')) await block.locator('.opblock-summary-control').click();
  const button = block.locator('.try-out__btn');
  await button.waitFor();
  if (!(await button.getAttribute('class')).includes('cancel')) await button.click(); // it may be on from the start
  return block;
}

/** Executes an operation; what was sent and answered, and the status that the page shows. */
async function execute(block) {
  const method = (await block.locator('.opblock-summary-method').innerText()).trim();
  const [response] = await Promise.all([
    page.waitForResponse(response => response.request().method() === method && response.url().includes('/v1/')),
    block.locator('button.execute').click(),
  ]);
  const live = block.locator('.live-responses-table .response-col_status').last();
  await live.scrollIntoViewIfNeeded();
  return { request: response.request(), response, shown: parseInt(await live.innerText(), 10) };
}

test('the page shows the API', async () => {
  const response = await page.goto(`${BASE}/ui/`);
  assert.equal(response.status(), 200);
  await page.locator('.opblock[id$="-submit_request"]').waitFor();
  assert.deepEqual(await page.locator('.errors-wrapper .error-wrapper').allInnerTexts(), []);
  await page.screenshot({ path: `${SHOTS}/1-ui.png` });
});

test('the Authorize dialog gets a token by client credentials', async () => {
  await page.locator('.scheme-container button.authorize').click();
  const box = page.locator('.dialog-ux .auth-container').filter({ hasText: 'clientCredentials' });
  await box.locator('input[id^=client_id]').fill(CLIENT_ID);
  await box.locator('input[id^=client_secret]').fill(CLIENT_SECRET);
  await page.screenshot({ path: `${SHOTS}/2-authorize.png` });
  const [token] = await Promise.all([
    page.waitForResponse(response => response.url().endsWith('/oauth/token')),
    box.getByRole('button', { name: /apply|authorize/i }).click(),
  ]);
  assert.equal(token.url(), `${BASE}/oauth/token`);
  assert.equal(token.status(), 200);
  await box.getByRole('button', { name: /logout|remove/i }).waitFor();
  assert.ok(!(await page.locator('.dialog-ux').innerText()).includes(CLIENT_SECRET));
  await page.locator('.dialog-ux').getByRole('button', { name: 'Close' }).first().click();
});

test('"Try it out" submits the example as it stands', async () => {
  const { request, response, shown } = await execute(await tryOut('submit_request'));
  assert.equal(request.url(), `${BASE}/v1/requests`);
  assert.match((await request.allHeaders()).authorization, /^Bearer ./);
  assert.equal(response.status(), 202, await response.text());
  assert.equal(shown, 202);
  submitted = { ...await response.json(), location: (await response.allHeaders()).location };
  await page.screenshot({ path: `${SHOTS}/3-submitted.png` });
});

test('Location leads to the request, from where the browser is', async () => {
  assert.ok(submitted.location, 'the 202 has a Location');
  const location = new URL(submitted.location, `${BASE}/v1/requests`).href;
  assert.equal(location, `${BASE}/v1/requests/${submitted.request_id}`);
});

test('after a reload the token is still there', async () => {
  await page.reload();
  const block = await tryOut('get_request');
  await block.locator('tr[data-param-name="request_id"] input').fill(submitted.request_id);
  const { request, response, shown } = await execute(block);
  assert.equal(request.url(), new URL(submitted.location, `${BASE}/v1/requests`).href);
  assert.equal(response.status(), 200, await response.text());
  assert.equal(shown, 200);
  assert.equal((await response.json()).request_id, submitted.request_id);
  await page.screenshot({ path: `${SHOTS}/4-reloaded.png` });
});

test('nothing was asked of another host, and nothing went wrong on the page', () => {
  assert.deepEqual(seen, { elsewhere: [], errors: [] });
});
