/** The messages on the page: each in its place by time, once, whichever way it arrived.
 *
 * A fragment from the server waits in `#incoming` and is then placed: it replaces the element of the same id, or the
 * bubble that was shown before the server knew of it (`data-client`), or goes where its time says. So echo, answer and
 * nudge of one message never show it twice.
 */
import { byId, htmx, morph, send, swap } from './core.js';

const NEAR_END = 120; // pixels within which a reader counts as being at the end
const FLASH = 2000;

/** The open conversation's element, or null. */
export function openThread() {
  const thread = byId('thread');
  return thread?.dataset.conversation ? thread : null;
}

/** Whether the newest message is in sight; the scroller is reversed, so its end is 0 and up is negative. */
export const atEnd = () => (byId('scroller')?.scrollTop ?? 0) > -NEAR_END;

export function scrollToEnd() {
  byId('scroller').scrollTop = 0;
  byId('jump').hidden = true;
}

/** The door to later messages; it is there when the thread was opened around an older one. */
const gap = () => byId('newer');

function flash(item) {
  item?.scrollIntoView({ block: 'center' });
  item?.classList.add('msg-flash');
  setTimeout(() => item?.classList.remove('msg-flash'), FLASH);
}

/** Where a thread opens: at the message it was opened for, else at its end. */
export function showPlace() {
  const thread = openThread();
  if (!thread) return;
  if (thread.dataset.shown) flash(byId(`m-${thread.dataset.shown}`));
  else scrollToEnd();
}

/** Leave the messages around an older one for the newest. What is on its way out stays. */
async function showEnd() {
  const thread = openThread();
  const list = byId('messages');
  const door = gap();
  door.remove();
  const waiting = () => [...list.children].filter((item) => item.dataset.client && item.id === `m-${item.dataset.client}`);
  const answer = await send(`${thread.dataset.url}/messages`, { method: 'GET' }).catch(() => ({ ok: false }));
  if (openThread() !== thread) return;
  const ours = waiting();
  if (answer.ok) {
    await swap(list, answer.text);
    list.append(...ours.filter((item) => !list.querySelector(`[data-client="${CSS.escape(item.dataset.client)}"]`)));
    thread.dataset.shown = '';
    const address = new URL(location);
    address.searchParams.delete('at');
    address.hash = '';
    history.replaceState(history.state, '', address);
    moveTabStop();
    scrollToEnd();
  } else {
    list.insertBefore(door, ours[0] ?? null);
  }
}

/** Place every message of a fragment that belongs to `conversation`, if that is still the open one. */
export async function receive(text, conversation) {
  if (openThread()?.dataset.conversation !== conversation || !text.trim()) return;
  await swap(byId('incoming'), text, 'beforeend');
}

let seen; // an item in sight while later messages come in below it, and where it was

document.addEventListener('htmx:before:swap', ({ detail: { ctx } }) => {
  const item = ctx.sourceElement === gap() && gap()?.previousElementSibling;
  if (item) seen = { item, top: item.getBoundingClientRect().top };
});

document.addEventListener('htmx:after:swap', () => {
  if (seen) byId('scroller').scrollTop += seen.item.getBoundingClientRect().top - seen.top;
  seen = undefined;
  placeIncoming();
  if (byId('messages')) mendDays(byId('messages'));
});

function placeIncoming() {
  const waiting = [...byId('incoming')?.children ?? []];
  if (!waiting.length) return;
  const stick = atEnd() && !gap();
  const fresh = waiting.filter((item) => place(item));
  if (stick) scrollToEnd();
  else if (fresh.length) byId('jump').hidden = false;
  moveTabStop();
  const inbound = fresh.filter((item) => item.classList.contains('msg-in')).length;
  if (inbound && !gap()) document.dispatchEvent(new CustomEvent('chime:inbound', { detail: { count: inbound } }));
}

/** Put one item in its place; true when it was not there before. */
function place(item) {
  const list = byId('messages');
  const { client } = item.dataset;
  const old = list.querySelector(`[id="${CSS.escape(item.id)}"]`)
    ?? (client && list.querySelector(`[data-client="${CSS.escape(client)}"]`));
  if (!old) {
    if (gap()) item.remove(); // what lies between is not here; `showEnd` will bring both
    else insertByTime(list, item);
    return true;
  }
  old.id = item.id; // a morph keeps an element only when the ids agree
  const fragment = new DocumentFragment();
  fragment.append(item);
  morph(old, fragment);
  const moved = byId(item.id) ?? old;
  htmx.process(moved);
  const before = timeOf(moved.previousElementSibling);
  const after = timeOf(moved.nextElementSibling);
  if (before > timeOf(moved) || (after && after < timeOf(moved))) insertByTime(list, moved);
  return false;
}

const timeOf = (item) => Number(item?.dataset.at ?? 0);

/** Insert at the place of its time; nearly always that is the end. */
export function insertByTime(list, item) {
  const at = timeOf(item);
  let next = null;
  for (let sibling = list.lastElementChild; sibling; sibling = sibling.previousElementSibling) {
    if (sibling === item || !sibling.dataset.at) continue;
    if (timeOf(sibling) <= at) break;
    next = sibling;
  }
  list.insertBefore(item, next);
}

/** One separator before the first item of each day, after insertions and after an older page came in. */
export function mendDays(list) {
  let day = '';
  for (const item of [...list.children]) {
    const own = item.dataset.day;
    if (!own) continue;
    if (item.classList.contains('day')) {
      if (own === day || item.nextElementSibling?.dataset.day !== own) item.remove();
      else day = own;
    } else if (own !== day) {
      day = own;
      const separator = byId('tpl-day').content.firstElementChild.cloneNode(true);
      separator.dataset.day = day;
      separator.firstElementChild.textContent = day;
      list.insertBefore(separator, item);
    }
  }
}

/* One tab stop for all messages; the arrows move it */

const actions = () => [...document.querySelectorAll('#messages [data-message-menu]')];

export function moveTabStop(to = actions().at(-1)) {
  for (const button of actions()) button.tabIndex = button === to ? 0 : -1;
}

document.addEventListener('keydown', (event) => {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step || !event.target.matches?.('[data-message-menu]')) return;
  const all = actions();
  const next = all[all.indexOf(event.target) + step];
  if (!next) return;
  event.preventDefault();
  moveTabStop(next);
  next.focus();
});

document.addEventListener('click', (event) => {
  if (event.target.closest('#jump')) (gap() ? showEnd : scrollToEnd)();
  if (event.target.closest('#newer a')) {
    event.preventDefault();
    showEnd();
  }
  const quote = event.target.closest('[data-jump]');
  if (!quote) return;
  event.preventDefault();
  flash(byId(quote.hash.slice(1)));
});

document.addEventListener('scroll', (event) => {
  if (event.target.id === 'scroller' && atEnd() && !gap()) byId('jump').hidden = true;
}, true);

/* Bubbles that exist before the server knows of them */

/** Show what is being sent; `client` becomes the key under which the server's own bubble takes its place. */
export function pendingBubble({ client, text, quote, filename }) {
  const list = byId('messages');
  const item = byId('tpl-out').content.firstElementChild.cloneNode(true);
  item.id = `m-${client}`;
  item.dataset.client = client;
  // Not before anything shown: the demo's clock may be ahead of this machine's.
  item.dataset.at = String(Math.max(Date.now(), ...[...list.children].slice(-5).map((other) => timeOf(other) + 1)));
  item.dataset.day = list.dataset.today;
  item.querySelector('.text').textContent = text;
  item.querySelector('.text').hidden = !text;
  item.querySelector('time').textContent = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: 'short' }).format(new Date());
  if (quote) {
    item.querySelector('[data-out-quote]').hidden = false;
    item.querySelector('[data-out-quote] span').textContent = quote;
  }
  if (filename) {
    item.querySelector('[data-out-file]').hidden = false;
    item.querySelector('.file-name').textContent = filename;
  }
  list.append(item);
  mendDays(list);
  scrollToEnd();
  if (gap()) showEnd();
  return item;
}

/** Say something in a pending bubble, such as how far its upload is. */
export function noteOn(item, text) {
  const note = item.querySelector('[data-out-note]');
  if (!note) return;
  note.hidden = !text;
  note.textContent = text;
}

/** Turn a pending bubble into a failed one with its ways out. */
export function failBubble(item, text, { retry, discard }) {
  const tick = item.querySelector('.tick');
  noteOn(item, '');
  tick.hidden = true;
  item.querySelector('.trouble')?.remove();
  const trouble = byId('tpl-trouble').content.firstElementChild.cloneNode(true);
  trouble.querySelector('p').textContent = text;
  trouble.querySelector('[data-copy]').hidden = !item.querySelector('.text').textContent;
  trouble.querySelector('[data-out-retry]').addEventListener('click', () => { trouble.remove(); tick.hidden = false; retry(); });
  trouble.querySelector('[data-out-discard]').addEventListener('click', () => { item.remove(); discard?.(); });
  item.append(trouble);
}
