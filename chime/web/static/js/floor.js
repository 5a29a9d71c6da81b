/** Keeps the supervisor's floor up to date: at most every few seconds while something happens, else now and then, since
 * that somebody leaves tells nobody.
 *
 * Promises: nothing moves while a hand is on a button or a key stands on one; a page nobody looks at asks nothing.
 */
import { byId, explain, headers, send, swap, toast, words } from './core.js';
import { subscribe } from './live.js';

const GATHER = 400; // what happens at once is asked for once
const APART = 4_000;
const IDLE = 40_000;
const HELD = 2_000;
const SETTLED = 5_000; // until then the page is as fresh as its stream
let timer;
let asked = Date.now();
let isStale = false;

const isHeld = () => Boolean(document.querySelector('#floor :is(.btn, [data-sort]):is(:hover, :focus-visible)'));

function soon(pause = GATHER) {
  if (document.visibilityState !== 'visible') {
    isStale = true;
    return;
  }
  timer ??= setTimeout(() => {
    timer = undefined;
    if (isHeld() && Date.now() - asked < IDLE) soon(HELD);
    else refresh();
  }, Math.max(pause, asked + APART - Date.now()));
}

async function refresh() {
  asked = Date.now();
  isStale = false;
  const answer = await fetch(byId('floor').dataset.address, {
    headers: { ...headers(), 'X-Unasked': '1' }, credentials: 'same-origin',
  }).catch(() => null);
  if (!answer) return; // the banner says so, and the next one comes
  if (answer.ok && !answer.redirected) await show(await answer.text());
  else if (answer.redirected || answer.status < 500) location.reload(); // signed out, or not theirs to see any more
}

const show = (text) => swap(byId('floor'), text, 'outerMorph');

/** Another order of the people: the address says so, and the page need not be drawn anew. */
async function sort(link) {
  const { ok, text } = await send(link.href, { method: 'GET' });
  if (!ok) return;
  history.replaceState(null, '', link.href);
  await show(text);
}

async function assign(form, submitter) {
  const body = new URLSearchParams(new FormData(form, submitter));
  byId('dialog').close();
  const { ok, status, text } = await send(form.action, { body });
  if (!ok) toast({ text: await explain(status, text), error: true });
  asked = 0;
  soon();
}

const failed = () => toast({ text: words('failed_request'), error: true });

document.addEventListener('submit', (event) => {
  if (!event.target.matches('[data-floor-assign]')) return;
  event.preventDefault();
  assign(event.target, event.submitter).catch(failed);
});

document.addEventListener('click', (event) => {
  const link = event.target.closest('#floor [data-sort]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  sort(link).catch(failed);
});

subscribe((kind, data) => {
  if (kind === 'nudge' && data.topic === 'notification') return;
  if (['nudge', 'resync'].includes(kind) || (kind === 'connected' && performance.now() > SETTLED)) soon();
});
setInterval(() => { if (Date.now() - asked >= IDLE) soon(); }, 5_000);
document.addEventListener('visibilitychange', () => {
  if (isStale || Date.now() - asked >= IDLE) soon();
});
