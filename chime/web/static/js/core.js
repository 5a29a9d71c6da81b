/** What every signed-in page needs: htmx under Trusted Types, words, requests, toasts, dialogs, menus, theme.
 *
 * Promises: only htmx's parser makes nodes from text, no text becomes code, and every request that changes something
 * carries the CSRF token in a header, never in an address.
 */
import htmx from '../vendor/htmx.esm.min.js';

const refuse = () => { throw new Error('chime: no text becomes code'); };
const rules = { createHTML: (text) => text, createScriptURL: (url) => (url === '/sw.js' ? url : refuse()) };
const policy = window.trustedTypes?.createPolicy('chime', rules) ?? rules;
let internal;

htmx.registerExtension('chime', {
  init(api) {
    internal = api;
    // A `function`, since htmx calls it with `new`.
    const noEval = function () { refuse(); };
    api.initSecurity({ createHTML: (text) => policy.createHTML(text), createScript: refuse }, noEval, noEval);
  },
});

export const byId = (id) => document.getElementById(id);

/** Have the one service worker there is take over. */
export const worker = () => navigator.serviceWorker.register(policy.createScriptURL('/sw.js'));

/** Make `old` equal to the nodes of `fragment` and keep what did not change: focus, playing sound, open menus. */
export function morph(old, fragment) {
  internal.morph(old, fragment, false);
}

/* Words */

const strings = JSON.parse(byId('strings')?.textContent ?? '{}');

/** The words of a name, in the person's language, with `{blanks}` filled in. */
export function words(name, values = {}) {
  return (strings[name] ?? '').replace(/\{(\w+)\}/g, (blank, key) => values[key] ?? blank);
}

/* Requests */

const token = () => document.querySelector('meta[name="csrf-token"]')?.content ?? '';

/** A new id for what was not sent before. `randomUUID` is missing on plain http, so it is not used. */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(26))].map((byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte & 31]).join('');
}

/** Headers of every request of ours. */
export const headers = () => ({ 'HX-Request': 'true', 'HX-Request-Type': 'partial', 'X-CSRF-Token': token(), Accept: 'text/html' });

/** Ask the server for a fragment; throws only when there is no answer. */
export async function send(url, { method = 'POST', body } = {}) {
  const response = await fetch(url, { method, body, headers: headers(), credentials: 'same-origin' });
  const text = await response.text();
  showTriggers(response.headers.get('HX-Trigger'));
  const elsewhere = response.headers.get('HX-Redirect');
  if (elsewhere) location.assign(elsewhere);
  return { ok: response.ok && !elsewhere, status: response.status, text };
}

/** Put the fragment of an answer into `target`, by htmx's rules. */
export function swap(target, text, style = 'innerHTML') {
  return htmx.swap({ text, target, swap: style, sourceElement: target });
}

/** The server's words of an error fragment, or ours for a status without any. */
export async function explain(status, text) {
  const slot = byId('toast-source');
  if (text.includes('data-error>') || status === 422) {
    await swap(slot, text);
    const said = slot.textContent.replace(/\s+/g, ' ').trim();
    slot.replaceChildren();
    if (said) return said;
  }
  return words(status === 403 ? 'not_allowed' : 'failed_request');
}

document.addEventListener('htmx:config:request', ({ detail: { ctx } }) => {
  const { request } = ctx;
  request.headers['X-CSRF-Token'] = token();
  if (isRefresh(ctx.sourceElement)) request.headers['X-Unasked'] = '1'; // what a page fetches by itself is no activity
  if (/GET|DELETE/.test(request.method)) ['csrf_token', '_method'].forEach((name) => request.body.delete(name));
  if (request.body.get('client_id') === '') request.body.set('client_id', newId());
});

// Who wants a whole page (history, a selection from it) asks like a link does, and is sent to sign in like one.
document.addEventListener('htmx:before:request', ({ detail: { ctx } }) => {
  if (ctx.request.headers['HX-Request-Type'] === 'full') delete ctx.request.headers['HX-Request'];
});

document.addEventListener('htmx:before:response', (event) => {
  const { raw } = event.detail.ctx.response;
  if (!raw.redirected || new URL(raw.url).pathname !== '/sign-in') return;
  event.preventDefault();
  location.assign('/sign-in');
});

// htmx swaps error answers too; a page must not lose a pane to one. A form that comes back with its errors may pass,
// and a refused message of a dialog tells its reason inside the dialog.
document.addEventListener('htmx:response:error', async ({ detail: { ctx } }) => {
  const { status, headers: answered } = ctx.response;
  if (answered.get('HX-Redirect')) return;
  if ((status === 422 && !ctx.text.includes('data-error>')) || ctx.text.includes('data-answered')) {
    if (status === 409) import('./schedule.js');
    const form = ctx.sourceElement.closest('[data-compose]');
    if (!form) return;
    const again = ctx.text.includes('data-compose');
    Object.assign(ctx, { target: again ? byId('dialog-slot') : form.querySelector('[data-errors]'), swap: 'innerHTML' });
    return;
  }
  if ([403, 404].includes(status) && isRefresh(ctx.sourceElement)) { // it went out of sight while it was open
    location.assign(`${document.body.dataset.base}/inbox`);
    return;
  }
  ctx.response = { ...ctx.response, status: 204, raw: { status: 204, url: ctx.response.raw.url } };
  Object.assign(ctx, { push: null, replace: null });
  toast({ text: await explain(status, ctx.text), error: true });
});

/** Whether the page asked by itself to stay up to date; nobody waits for such an answer. */
export const isRefresh = (source) => ['list', 'thread', 'messages'].includes(source?.id);

document.addEventListener('htmx:error', ({ detail }) => {
  if (!isRefresh(detail.ctx?.sourceElement)) toast({ text: words('failed_request'), error: true });
});

/* Toasts */

function showTriggers(header) {
  if (!header?.startsWith('{')) return;
  const { toast: detail } = JSON.parse(header);
  if (detail) toast(detail);
}

/** Say something for a while; `undo` ({url, method, values} or {act, lasts}) offers to take it back, an error stays until closed. */
export function toast({ text, undo, error = false }) {
  const box = byId('toasts');
  const item = byId('tpl-toast').content.firstElementChild.cloneNode(true);
  item.classList.toggle('toast-error', error);
  item.querySelector('.toast-text').textContent = text;
  const close = () => { item.remove(); if (!box.children.length && box.matches(':popover-open')) box.hidePopover(); };
  item.querySelector('[data-dismiss]').addEventListener('click', close);
  if (undo) {
    const button = item.querySelector('[data-undo]');
    button.hidden = false;
    button.addEventListener('click', () => {
      close();
      if (undo.act) undo.act();
      else htmx.ajax(undo.method ?? 'POST', undo.url, { swap: 'none', values: undo.values });
    });
  }
  while (box.children.length > 2) box.firstElementChild.remove();
  box.append(item);
  if (box.matches(':popover-open')) box.hidePopover(); // shown again, it lies above a dialog opened meanwhile
  box.showPopover();
  byId(error ? 'toast-alert' : 'toast-status').textContent = text;
  if (!error) setTimeout(close, undo ? undo.lasts ?? 10_000 : 5000);
}

document.addEventListener('toast', ({ detail }) => toast(detail));

// A browser keeps what fits of a paste and says nothing of the rest.
document.addEventListener('paste', ({ target, clipboardData }) => {
  if (!(target.maxLength > 0)) return;
  const pasted = clipboardData.getData('text').replace(/\r\n?/g, '\n');
  const size = (target.matches('textarea') ? pasted : pasted.replaceAll('\n', '')).length;
  const left = target.value.length - (target.selectionEnd - target.selectionStart) + size - target.maxLength;
  if (left > 0) toast({ text: words('paste_cut', { left, most: target.maxLength }), error: true });
});

/* Dialogs: whatever lands in the slot opens it */

document.addEventListener('htmx:after:swap', () => {
  const dialog = byId('dialog');
  const slot = byId('dialog-slot');
  if (!slot?.children.length || slot.dataset.shown === 'yes') return focusError(slot);
  slot.dataset.shown = 'yes';
  dialog.classList.toggle('dialog-wide', Boolean(slot.querySelector('[data-wide]')));
  dialog.showModal();
  (slot.querySelector('[autofocus]') ?? slot.querySelector('#dialog-title'))?.focus();
});

function focusError(slot) {
  const summary = slot?.querySelector('[data-focus]');
  if (!summary) return;
  summary.removeAttribute('data-focus');
  summary.focus();
}

byId('dialog')?.addEventListener('close', () => {
  byId('dialog-slot').replaceChildren();
  delete byId('dialog-slot').dataset.shown;
});

/** Ask before something that cannot be taken back. */
export function confirmed(title, text, verb) {
  const dialog = byId('confirm');
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  byId('confirm-yes').textContent = verb;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

/* Menus: popovers stand at what opened them */

let anchor;

/** Open a menu beside `at`. */
export function openMenu(menu, at) {
  anchor = at;
  menu.showPopover();
}

function placeMenu(menu) {
  const at = (anchor ?? document.activeElement).getBoundingClientRect();
  const below = at.top < innerHeight / 2;
  const right = at.left + at.width / 2 > innerWidth / 2;
  Object.assign(menu.style, {
    top: below ? `${at.bottom + 4}px` : 'auto',
    bottom: below ? 'auto' : `${innerHeight - at.top + 4}px`,
    left: right ? 'auto' : `${Math.max(4, at.left)}px`,
    right: right ? `${Math.max(4, innerWidth - at.right)}px` : 'auto',
  });
}

document.addEventListener('beforetoggle', (event) => {
  if (event.newState === 'open' && event.target.matches('.menu')) placeMenu(event.target);
}, true);

document.addEventListener('toggle', (event) => {
  if (event.newState !== 'open' || !event.target.matches?.('.menu')) return;
  const { left, right } = event.target.getBoundingClientRect(); // a wide one hangs over the side it grows to
  if (left < 4 || right > innerWidth - 4) Object.assign(event.target.style, left < 4 ? { left: '4px', right: 'auto' } : { left: 'auto', right: '4px' });
  (event.target.querySelector('[autofocus]') ?? event.target.querySelector('[aria-current], button:not([hidden]), a'))?.focus();
}, true);

document.addEventListener('keydown', (event) => {
  const menu = event.target.closest?.('.menu');
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (!menu || !step || event.target.matches('input')) return;
  event.preventDefault();
  const items = [...menu.querySelectorAll('button:not([hidden]), a')];
  items.at((items.indexOf(document.activeElement) + step) % items.length)?.focus();
});

/* Clicks */

document.addEventListener('click', (event) => {
  const invoker = event.target.closest('[popovertarget]');
  if (invoker) anchor = invoker;
  const menu = event.target.closest('.menu');
  // Later, so that the button that closes its own menu still does its work.
  if (menu && event.target.closest('button, a')) setTimeout(() => menu.matches(':popover-open') && menu.hidePopover());
  if (event.target.closest('[data-close]')) event.target.closest('dialog').close();
  if (event.target.closest('[data-keys-sheet]')) import('./keys.js').then(({ openSheet }) => openSheet(), () => toast({ text: words('failed_request'), error: true }));
}, true);

/* Theme */

document.addEventListener('submit', (event) => {
  if (!event.target.closest('[data-theme-form]')) return;
  event.preventDefault();
  const { target, submitter } = event;
  import('./theme.js').then(({ choose }) => choose(target, submitter), () => toast({ text: words('failed_request'), error: true }));
});

// Of many sections the one that is shown, also where they scroll.
document.querySelector('.settings-nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });

/* Keyboard: fetched with the first key that might be a shortcut, since many visits have none */

let keys;
let early = ''; // the first letter that was pressed while it was on its way

document.addEventListener('keydown', (event) => {
  const { key, ctrlKey, metaKey, altKey } = event;
  if ((ctrlKey || metaKey) && key === 'k') event.preventDefault();
  keys ??= import('./keys.js').finally(() => { early = false; });
  if (early !== false && key.length === 1 && !ctrlKey && !metaKey && !altKey) {
    // `n` and then a note: its letters must not become shortcuts because the box opens late. `g` waits for a second one.
    if (early && early !== 'g') return;
    early += key;
  }
  // A promise kept long ago calls back before the key's own effect, so onKey may still prevent it.
  keys.then(({ onKey }) => onKey(event), () => { keys = undefined; early = ''; });
});

export { htmx };
