// A person's browser: opens an address, types the code of another device where one is given, logs in, consents, and follows
// where that leads. Says where it ended, which with --stay is where a program would listen.
//
//   node browser.mjs URL [--code CODE] [--stay] [--decline]
const [start, ...options] = process.argv.slice(2);
const after = (name) => (options.includes(name) ? options[options.indexOf(name) + 1] : undefined);
const origin = new URL(start).origin;
const cookies = new Map();

async function open(url, form) {
  const here = [...cookies.values()].filter(({ path }) => url.pathname.startsWith(path));
  const headers = { accept: 'text/html', cookie: here.map(({ pair }) => pair).join('; ') };
  if (form) headers['content-type'] = 'application/x-www-form-urlencoded';
  const answer = await fetch(url, { method: form ? 'POST' : 'GET', body: form, headers, redirect: 'manual' });
  for (const line of answer.headers.getSetCookie()) {
    const [pair, ...attributes] = line.split(/; */);
    const [name, value] = pair.split('=');
    const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? '/';
    if (value) cookies.set(`${name} ${path}`, { pair, path });
    else cookies.delete(`${name} ${path}`);
  }
  return answer;
}

const decode = (text) => text.replaceAll('&amp;', '&').replaceAll('&quot;', '"');

// Fills the form of a page in, as a person would.
function fill(page) {
  const form = page.match(/<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/);
  if (!form) return undefined;
  const fields = new URLSearchParams();
  for (const [tag] of form[2].matchAll(/<(?:input|button)[^>]*>/g)) {
    const name = tag.match(/name="([^"]*)"/)?.[1];
    const value = tag.match(/value="([^"]*)"/)?.[1] ?? '';
    if (!name || name === 'abort') continue;
    const typed = { login: 'alice', password: 'anything', user_code: after('--code') ?? decode(value) };
    fields.set(name, typed[name] ?? decode(value));
  }
  return { action: decode(form[1]), fields };
}

let [url, form] = [new URL(start), undefined];
for (let step = 0; step < 20; step += 1) {
  const answer = await open(url, form);
  const to = answer.headers.get('location');
  if (to) {
    [url, form] = [new URL(to, url), undefined];
    if (url.origin === origin) continue;
    // A server that listens may close its port after this.
    const landed = options.includes('--stay') ? undefined : await fetch(url);
    console.log(`${landed?.status ?? 302} ${url}`);
    process.exit(0);
  }
  const page = await answer.text();
  const next = fill(page);
  const again = page.match(/<a [^>]*href="([^"]*\/abort)"/);
  if (options.includes('--decline') && again) {
    [url, form] = [new URL(decode(again[1]), url), undefined];
    continue;
  }
  if (!next || (step > 0 && !page.includes('<form'))) {
    console.log(`${answer.status} ${url} ${page.replace(/<(style|script)[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim().slice(0, 300)}`);
    process.exit(answer.status < 400 ? 0 : 1);
  }
  [url, form] = [new URL(next.action, url), next.fields];
}
console.error('the pages have no end');
process.exit(1);
