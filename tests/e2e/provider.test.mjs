// A person opens /ui/, logs in at the provider of an `oidc` verifier by the authorization code flow with PKCE, and submits a request.
// From the environment: BASE (where the gateway is, as a browser sees it), PROVIDER (the issuer), SHOTS (a folder for pictures).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { open, submitted } from './browser.mjs';

const { BASE, PROVIDER, SHOTS } = process.env;
const REDIRECT = `${BASE}/ui/oauth2-redirect.html`;
let page, seen, close;

before(async () => ({ page, seen, close } = await open()));
after(() => close?.());

/** What the policy of the page lets it call. */
function callable(response) {
  return /connect-src ([^;]*)/.exec(response.headers()['content-security-policy'])[1];
}

test('the Authorize dialog leads to the provider and back with a token', async () => {
  const shown = await page.goto(`${BASE}/ui/`);
  assert.equal(callable(shown), `'self' ${PROVIDER}`);
  await page.locator('.scheme-container button.authorize').click();
  const box = page.locator('.dialog-ux .auth-container').filter({ hasText: 'idp (OAuth2, authorizationCode with PKCE)' });
  assert.equal(await box.locator('input[id^=client_id]').inputValue(), 'page');
  const offered = await box.locator('.scopes label .name').allInnerTexts();
  assert.deepEqual(offered.sort(), ['read:requests', 'write:requests']);
  await box.getByText('select all', { exact: true }).click();
  await box.scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${SHOTS}/6-authorize.png` });
  const [popup] = await Promise.all([page.waitForEvent('popup'), box.getByRole('button', { name: /apply|authorize/i }).click()]);
  await popup.locator('input[name=login]').waitFor();
  assert.equal(new URL(popup.url()).origin, PROVIDER);
  await popup.locator('input[name=login]').fill('ada');
  await popup.locator('input[name=password]').fill('any will do here');
  await popup.screenshot({ path: `${SHOTS}/7-provider.png` });
  await popup.locator('button[type=submit]').click();
  const allow = popup.getByRole('button', { name: 'Continue' });
  await allow.waitFor();
  const [token] = await Promise.all([
    page.waitForResponse(response => response.url() === `${PROVIDER}/token` && response.request().method() === 'POST'),
    allow.click(),
  ]);
  assert.equal(token.status(), 200);
  const sent = new URLSearchParams(token.request().postData());
  assert.deepEqual([sent.get('grant_type'), sent.get('client_id'), sent.get('redirect_uri')], ['authorization_code', 'page', REDIRECT]);
  assert.match(sent.get('code_verifier'), /^.{43,128}$/);
  await box.getByRole('button', { name: /logout|remove/i }).waitFor();
  await page.locator('.dialog-ux').getByRole('button', { name: 'Close' }).first().click();
});

test('"Try it out" submits a request with the token, and the person owns it', async () => {
  const response = await submitted(page, BASE);
  assert.equal(response.status(), 202, await response.text());
  const { authorization } = await response.request().allHeaders();
  const claims = JSON.parse(Buffer.from(authorization.split('.')[1], 'base64url'));
  assert.deepEqual([claims.iss, claims.sub, claims.aud], [PROVIDER, 'ada', 'urn:api-prototype']);
  assert.deepEqual(seen, { elsewhere: [], errors: [] });
});
