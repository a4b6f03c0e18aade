// A person opens /ui/, logs in at the gateway's own page by the authorization code flow with PKCE, and submits a request.
// From the environment: BASE (where the gateway is, as a browser sees it), PERSON and PASSWORD, SHOTS (a folder for pictures).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { open, submitted } from './browser.mjs';

const { BASE, PERSON, PASSWORD, SHOTS } = process.env;
let page, seen, close;

before(async () => ({ page, seen, close } = await open()));
after(() => close?.());

test('the Authorize dialog leads to the login and back with a token', async () => {
  await page.goto(`${BASE}/ui/`);
  await page.locator('.scheme-container button.authorize').click();
  const box = page.locator('.dialog-ux .auth-container').filter({ hasText: 'oauth2 (OAuth2, authorizationCode with PKCE)' });
  assert.equal(await box.locator('input[id^=client_id]').inputValue(), 'swagger-ui');
  await box.getByText('select all', { exact: true }).click();
  const [popup] = await Promise.all([page.waitForEvent('popup'), box.getByRole('button', { name: /apply|authorize/i }).click()]);
  await popup.locator('#name').fill(PERSON);
  await popup.locator('#password').fill(PASSWORD);
  await popup.screenshot({ path: `${SHOTS}/5-login.png` });
  await popup.getByRole('button', { name: 'Log in' }).click();
  const allow = popup.getByRole('button', { name: 'Allow', exact: true });
  await allow.waitFor();
  const [token] = await Promise.all([page.waitForResponse(response => response.url().endsWith('/oauth/token')), allow.click()]);
  assert.equal(token.url(), `${BASE}/oauth/token`);
  assert.equal(token.status(), 200, await token.text());
  await box.getByRole('button', { name: /logout|remove/i }).waitFor();
  await page.locator('.dialog-ux').getByRole('button', { name: 'Close' }).first().click();
});

test('"Try it out" submits a request as the person', async () => {
  const response = await submitted(page, BASE);
  assert.equal(response.status(), 202, await response.text());
  assert.deepEqual(seen, { elsewhere: [], errors: [] });
});
