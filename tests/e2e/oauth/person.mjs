// A person with a browser that has no script: follows links and redirects, keeps cookies, and fills in the forms that it meets.

const unescape = text => text.replace(/&quot;/g, '"').replace(/&#39;|&#x27;/g, "'").replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');
const attribute = (tag, name) => {
  const found = tag.match(new RegExp(`\\s${name}(?:="([^"]*)")?(?=[\\s>/])`));
  return found ? unescape(found[1] ?? '') : undefined;
};

export class Person {
  cookies = new Map(); // by name and path

  constructor(name, password) {
    Object.assign(this, { name, password });
  }

  /** Goes on from an address until a page has no form any more, or leads away from `base`; that address, or the page. */
  async visit(address, base, { refuse = false } = {}) {
    let call = { address: String(address), options: {} };
    for (let step = 0; step < 12; step++) {
      if (!call.address.startsWith(base)) return { left: new URL(call.address) };
      const response = await this.send(call);
      const location = response.headers.get('location');
      if (location) {
        call = { address: new URL(location, call.address).href, options: {} };
        continue;
      }
      const page = await response.text();
      const form = this.form(page, refuse);
      if (!form || response.status >= 400) return { page, status: response.status, at: call.address };
      const action = new URL(form.action || call.address, call.address);
      call = { address: action.href, options: { method: 'POST', body: form.fields, headers: { origin: new URL(base).origin } } };
    }
    throw new Error(`no end after 12 steps, at ${call.address}`);
  }

  async send({ address, options }) {
    const { pathname } = new URL(address);
    const cookie = [...this.cookies.values()].filter(({ path }) => pathname.startsWith(path)).map(({ pair }) => pair).join('; ');
    const headers = { ...options.headers, ...(cookie && { cookie }) };
    const response = await fetch(address, { ...options, headers, redirect: 'manual' });
    for (const set of response.headers.getSetCookie()) {
      const [, pair, name] = set.match(/^(([^=]+)=[^;]*)/);
      const path = set.match(/;\s*path=([^;]*)/i)?.[1] ?? '/';
      const isGone = /;\s*(max-age=0|expires=thu, 01 jan 1970)/i.test(set);
      if (isGone) this.cookies.delete(`${name} ${path}`);
      else this.cookies.set(`${name} ${path}`, { pair, path });
    }
    return response;
  }

  /** The form of a page that is posted, filled in. Of several buttons the first says yes, and the last no. */
  form(page, refuse) {
    const form = page.match(/<form[^>]*method="post"[^>]*>[\s\S]*?<\/form>/i)?.[0];
    if (!form) return undefined;
    const fields = new URLSearchParams();
    for (const [tag] of form.matchAll(/<input[^>]*>/g)) {
      const [name, type] = [attribute(tag, 'name'), attribute(tag, 'type') ?? 'text'];
      if (!name || type === 'submit') continue;
      const asksForName = attribute(tag, 'autocomplete') === 'username' || name === 'login';
      const typed = type === 'password' ? this.password : asksForName ? this.name : undefined;
      fields.append(name, typed ?? attribute(tag, 'value') ?? '');
    }
    const buttons = [...form.matchAll(/<button[^>]*>/g)].map(([tag]) => tag).filter(tag => attribute(tag, 'name'));
    const pressed = refuse ? buttons.at(-1) : buttons[0];
    if (pressed) fields.append(attribute(pressed, 'name'), attribute(pressed, 'value') ?? '');
    return { action: attribute(form.match(/<form[^>]*>/)[0], 'action'), fields };
  }
}
