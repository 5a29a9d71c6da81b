/** The messages on the page: each in its place by time, once, whichever way it arrived.
 *
 * A fragment from the server waits in `#incoming` and is then placed: it replaces the element of the same id, or the
 * bubble that was shown before the server knew of it (`data-client`), or goes where its time says. So echo, answer and
 * nudge of one message never show it twice.
 */
import { byId, htmx, morph, swap, toast, words } from './core.js';

const NEAR_END = 120; // pixels within which a reader counts as being at the end
const TOGETHER = 300_000; // milliseconds between pictures that were sent as one lot
const MOST_LINES = 300; // more make a phone slow; what is dropped can be had again
const FLASH = 2000;

/** The open conversation's element, or null. */
export function openThread() {
  const thread = byId('thread');
  return thread?.dataset.conversation ? thread : null;
}

/** The name under which this tab keeps what was typed into a conversation: the open one, unless told. */
export const draftKey = (conversation = openThread()?.dataset.conversation) => (
  `draft:${document.body.dataset.user}:${document.body.dataset.base}:${conversation}`);

/** Whether the newest message is in sight; the scroller is reversed, so its end is 0 and up is negative. */
export const atEnd = () => (byId('scroller')?.scrollTop ?? 0) > -NEAR_END;

export function scrollToEnd() {
  byId('scroller').scrollTop = 0;
  byId('jump').hidden = true;
  delete byId('jump').dataset.fresh;
}

/** The door to later messages; it is there when the thread was opened around an older one. */
export const gap = () => byId('newer');

export function flash(item) {
  item?.scrollIntoView({ block: 'center' });
  item?.classList.add('msg-flash');
  setTimeout(() => item?.classList.remove('msg-flash'), FLASH);
}

/** The element of what the server says is shown: a message by its id, a note as `n-` and its id. */
export const lineOf = (shown) => (shown.startsWith('n-') ? shown : `m-${shown}`);

/** Where a thread opens: at the message it was opened for, else at its end. */
export function showPlace() {
  const thread = openThread();
  if (!thread) return;
  if (thread.dataset.shown) flash(byId(lineOf(thread.dataset.shown)));
  else scrollToEnd();
}

/** Place every message of a fragment that belongs to `conversation`, if that is still the open one. */
export async function receive(text, conversation) {
  if (openThread()?.dataset.conversation !== conversation || !text.trim()) return;
  await swap(byId('incoming'), text, 'beforeend');
}

let seen; // an item in sight while later messages come in below it, and where it was

document.addEventListener('htmx:before:swap', ({ detail: { ctx } }) => {
  const item = ctx.sourceElement === gap() && gap()?.previousElementSibling;
  if (item) seen = { item, ctx, top: item.getBoundingClientRect().top };
});

document.addEventListener('htmx:after:swap', ({ detail: { ctx } }) => {
  if (seen?.ctx === ctx) { // and not an answer for the list that came in between
    byId('scroller').scrollTop += seen.item.getBoundingClientRect().top - seen.top;
    seen = undefined;
  }
  placeIncoming();
  if (byId('messages')) mendDays(byId('messages'));
  pairPictures();
  if ((byId('messages')?.children.length ?? 0) > MOST_LINES) import('./thread_window.js').then(({ trim }) => trim(MOST_LINES));
  fetchPlayer();
});

/** The player of voice notes comes with the first one that is shown. */
function fetchPlayer() {
  if (document.querySelector('#messages [data-voice]')) import('./voice.js');
}

document.addEventListener('chime:thread', fetchPlayer);
document.addEventListener('chime:thread', pairPictures);

/** Pictures alone in their messages that follow each other stand two in a row. */
function pairPictures() {
  let run = [];
  for (const item of [...byId('messages')?.children ?? [], null]) {
    const last = run.at(-1);
    const isAlone = item && 'tile' in item.dataset;
    if (isAlone && last && last.classList.contains('msg-in') === item.classList.contains('msg-in') && timeOf(item) - timeOf(last) < TOGETHER) {
      run.push(item);
      continue;
    }
    run.forEach((one, place) => {
      const paired = place < run.length - (run.length % 2);
      one.classList.toggle('tile-1', paired && place % 2 === 0);
      one.classList.toggle('tile-2', paired && place % 2 === 1);
    });
    run = isAlone ? [item] : [];
  }
}

function placeIncoming() {
  const waiting = [...byId('incoming')?.children ?? []];
  if (!waiting.length) return;
  const stick = atEnd() && !gap();
  const fresh = waiting.filter((item) => place(item));
  if (stick) scrollToEnd();
  else if (fresh.length) Object.assign(byId('jump'), { hidden: false }).dataset.fresh = '';
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
  if (old?.matches('.note') && old.contains(document.activeElement) && old.querySelector('details[open]')) {
    item.remove(); // somebody writes in it
    return false;
  }
  if (!old) {
    if (gap()) item.remove(); // what lies between is not here; `showEnd` will bring both
    else insertByTime(list, item);
    return true;
  }
  const pending = client && byId(`m-${client}`);
  if (pending && pending !== old) pending.remove(); // a list that was fetched meanwhile had brought the message itself
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

/** What is written in a message, as it is shown. */
export const textOf = (message) => [...message.querySelectorAll('.bubble .text, .bubble .answer')].map((part) => part.innerText.trim()).join('\n');

export const timeOf = (item) => Number(item?.dataset.at ?? 0);

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

/** The menu of a message begins with what WhatsApp said of its price, if it did. */
document.addEventListener('click', ({ target }) => {
  const opener = target.closest('[data-message-menu]');
  if (opener) Object.assign(byId('message-price'), { textContent: opener.closest('.msg').dataset.price ?? '', hidden: !opener.closest('.msg').dataset.price });
}, true);

document.addEventListener('click', (event) => {
  const go = (then) => import('./thread_go.js').then(then, () => toast({ text: words('failed_request'), error: true }));
  if (event.target.closest('#jump') && !gap()) scrollToEnd();
  else if (event.target.closest('#jump')) go(({ showEnd }) => showEnd());
  if (event.target.closest('#newer a')) {
    event.preventDefault();
    go(({ showEnd }) => showEnd());
  }
  const quote = event.target.closest('[data-jump]');
  if (!quote) return;
  event.preventDefault();
  go(({ showLine }) => showLine(quote.hash.slice(1)));
});

document.addEventListener('click', (event) => {
  const picture = event.target.closest('[data-view]');
  if (picture && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
    event.preventDefault();
    import('./media_view.js').then(({ view }) => view(picture), () => toast({ text: words('failed_request'), error: true }));
  }
  const find = event.target.closest('[data-find]');
  if (find) import('./thread_find.js').then(({ find: begin }) => begin(find.dataset.find), () => toast({ text: words('failed_request'), error: true }));
});

/* WhatsApp's marks in the reply */

document.addEventListener('keydown', (event) => {
  const key = event.key.toLowerCase();
  const wanted = event.shiftKey ? ['x', 'm'] : ['b', 'i'];
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.id !== 'text' || !wanted.includes(key)) return;
  event.preventDefault();
  import('./format.js').then(({ mark }) => mark(event.target, key));
});

document.addEventListener('input', (event) => {
  if (event.target.id === 'text' && /[*_~`]/.test(event.target.value)) import('./format.js').then(({ preview }) => preview(event.target));
});

document.addEventListener('scroll', (event) => {
  if (event.target.id !== 'scroller') return;
  const jump = byId('jump');
  const away = !atEnd() || Boolean(gap());
  if (away) jump.hidden = false; // says "New messages" only when there are some
  else jump.hidden = true;
  if (!away) delete jump.dataset.fresh;
}, true);
