/** The inbox page: keeps list, thread, window and unread counts true while nudges come in, and serves the message menu.
 *
 * Nothing here holds an element for longer than a moment: panes are replaced by clicks, by history and by live updates,
 * so handlers are delegated and look up what is there.
 */
import { byId, confirmed, copy, explain, htmx, isRefresh, openMenu, send, toast, words } from './core.js';
import { subscribe } from './live.js';
import { moveTabStop, openThread, receive, showPlace } from './thread.js';

const { base } = document.body.dataset;
const GATHER = 40; // nudges of one moment make one request
const LIST_PAUSE = 300;
const LIST_PAUSE_UNDER_POINTER = 2000; // rows must not move under somebody who is about to click
const MAX_ROWS_KEPT = 300;

/* What changed, until it is fetched */

const stale = { messages: new Set(), state: false, conversations: new Set() };
let gatherTimer;
let listTimer;
let listAt = 0;
let missed = false; // a refresh got no answer; it is made up for when the connection is back

subscribe((kind, data) => {
  if (kind === 'resync' || (kind === 'connected' && missed)) resync();
  if (kind === 'nudge') note(data);
});

document.addEventListener('htmx:error', ({ detail }) => {
  if (isRefresh(detail.ctx?.sourceElement)) missed = true;
});

function note({ topic, id, conversation }) {
  const open = openThread()?.dataset.conversation;
  if (topic === 'message' && conversation === open) stale.messages.add(id);
  if (topic === 'conversation' && id === open) stale.state = true;
  stale.conversations.add(conversation ?? id);
  gatherTimer ??= setTimeout(fetchThread, GATHER);
  planList();
}

async function fetchThread() {
  gatherTimer = undefined;
  const thread = openThread();
  const ids = [...stale.messages];
  const { state } = stale;
  stale.messages.clear();
  stale.state = false;
  if (!thread) return;
  if (ids.length) await fetchMessages(thread, ids).catch(() => { missed = true; });
  if (state) fetchState();
}

async function fetchMessages(thread, ids) {
  const answer = await send(`${thread.dataset.url}/messages?ids=${ids.join(',')}`, { method: 'GET' });
  if (!answer.ok) return;
  await receive(answer.text, thread.dataset.conversation);
  for (const id of ids) {
    if (!answer.text.includes(`m-${id}`)) byId(`m-${id}`)?.remove(); // discarded meanwhile
  }
}

function fetchState() {
  const thread = openThread();
  if (thread) htmx.ajax('GET', `${thread.dataset.url}/state`, { source: thread, target: thread, swap: 'none' });
}

function planList() {
  const list = byId('list');
  if (list.dataset.q) return; // what was found stays as it is until something else is typed
  const pause = list.matches(':hover, :focus-within') ? LIST_PAUSE_UNDER_POINTER : LIST_PAUSE;
  listTimer ??= setTimeout(fetchList, Math.max(GATHER, listAt + pause - Date.now(), pause === LIST_PAUSE ? 0 : pause));
}

function fetchList() {
  listTimer = undefined;
  listAt = Date.now();
  const list = byId('list');
  if (byId('search').value.trim()) return;
  const asked = new URLSearchParams({ v: list.dataset.view, selected: openThread()?.dataset.conversation ?? '' });
  htmx.ajax('GET', `${base}/inbox/list?${asked}`, { source: list, target: list, swap: 'outerMorph' });
}

/** After a gap: everything shown is fetched once more. */
function resync() {
  missed = false;
  planList();
  const thread = openThread();
  if (!thread) return;
  htmx.ajax('GET', location.pathname + location.search, { source: byId('messages'), target: byId('messages'), select: '#messages', swap: 'outerMorph' });
  fetchState();
}

/* What a live answer must not disturb */

document.addEventListener('htmx:before:swap', ({ detail: { ctx, tasks } }) => {
  for (const task of [...tasks]) {
    if (task.target?.id === 'list' && ctx.sourceElement?.id === 'list') keepFurtherRows(task.fragment);
    if (task.type === 'partial' && isBusy(task)) tasks.splice(tasks.indexOf(task), 1);
  }
});

/** The composer stays while the window stays as it is, and a panel somebody types into is left alone. */
function isBusy({ target, fragment }) {
  if (target?.id === 'composer-slot') return fragment.querySelector('#composer-slot')?.dataset.open === target.dataset.open;
  return target?.id === 'panel' && (target.contains(document.activeElement) || Boolean(target.querySelector('details[open]')));
}

/** A live answer holds the first page only; rows scrolled in before are kept behind it, up to a limit. */
function keepFurtherRows(fragment) {
  const rows = fragment.querySelector('#rows');
  const shown = byId('rows');
  if (!rows || !shown || shown.children.length <= rows.children.length) return;
  const door = rows.querySelector('#more-rows');
  const fresh = [...rows.children].filter((row) => row !== door);
  const oldest = Number(fresh.at(-1)?.dataset.at ?? 0);
  const ids = new Set(fresh.map((row) => row.id));
  const further = [...shown.children].filter((row) => row.id !== 'more-rows' && !ids.has(row.id)
    && Number(row.dataset.at) <= oldest && !stale.conversations.has(row.id.slice(2)));
  const kept = further.slice(0, MAX_ROWS_KEPT - fresh.length);
  const shownDoor = byId('more-rows');
  if (kept.length < further.length || !door) return;
  door.remove();
  rows.append(...kept.map((row) => row.cloneNode(true)));
  if (shownDoor) rows.append(shownDoor.cloneNode(true));
}

/* After every swap: what follows from what is now shown */

let shownThread;

document.addEventListener('htmx:after:swap', ({ detail: { ctx } }) => {
  if (ctx.sourceElement?.id === 'list') stale.conversations.clear();
  if (byId('thread') !== shownThread) threadChanged();
  if (['list', 'thread'].includes(ctx.target?.id)) markOpenRow();
  const dialog = ctx.sourceElement?.closest?.('#dialog');
  if (dialog && ctx.target?.id === 'incoming' && ctx.response?.status < 400) dialog.close();
  if (ctx.sourceElement?.matches?.('#panel form') && ctx.response?.status < 400) ctx.sourceElement.reset();
  showUnread();
  showWindow();
});

function threadChanged() {
  const first = shownThread === undefined;
  shownThread = byId('thread');
  const thread = openThread();
  byId('inbox').dataset.pane = thread ? 'thread' : 'list';
  if (thread && !first) document.title = thread.dataset.title;
  const selected = document.querySelector('#list input[name="selected"]');
  if (selected) selected.value = thread?.dataset.conversation ?? '';
  moveTabStop();
  document.dispatchEvent(new CustomEvent('chime:thread'));
  if (thread && !first) byId('content').focus({ preventScroll: true });
  showPlace();
  markRead();
}

/** Also after a list that was asked for while another conversation was open. */
function markOpenRow() {
  const { conversation, shown } = openThread()?.dataset ?? {};
  for (const row of document.querySelectorAll('#list .row')) {
    const open = shown && row.dataset.shown ? row.dataset.shown === shown : row.parentElement.id === `c-${conversation}`;
    if (open) row.setAttribute('aria-current', 'true');
    else row.removeAttribute('aria-current');
  }
}

function showUnread() {
  const count = Number(byId('list')?.dataset.unread ?? 0);
  for (const badge of document.querySelectorAll('[data-unread-badge]')) {
    badge.textContent = String(count);
    badge.hidden = count === 0;
  }
  const title = document.title.replace(/^\(\d+\) /, '');
  document.title = count ? words('title', { count, title }) : title;
}

/* Reading */

function markRead() {
  const thread = openThread();
  if (!thread || !Number(thread.dataset.unread) || document.visibilityState !== 'visible' || !document.hasFocus()) return;
  thread.dataset.unread = '0';
  send(`${thread.dataset.url}/read`).catch(() => { thread.dataset.unread = '1'; });
}

document.addEventListener('chime:inbound', ({ detail }) => {
  const thread = openThread();
  thread.dataset.unread = String(Number(thread.dataset.unread) + detail.count);
  markRead();
});
document.addEventListener('visibilitychange', markRead);
addEventListener('focus', markRead);

/* The reply window */

const HOUR = 3_600_000;
const windows = new WeakMap(); // element -> the moment it ends on this machine's steady clock

function spoken(left) {
  const minutes = Math.max(1, Math.ceil(left / 60_000));
  return minutes < 60 ? words('minutes', { minutes }) : words('hours_minutes', { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

function showWindow() {
  const notice = byId('window');
  if (notice?.dataset.open !== 'true') return;
  const mark = `${notice.dataset.left}`;
  if (windows.get(notice)?.mark !== mark) windows.set(notice, { mark, ends: performance.now() + Number(notice.dataset.left) });
  const left = windows.get(notice).ends - performance.now();
  if (left <= 0) {
    notice.dataset.open = 'ending';
    fetchState();
    return;
  }
  const plenty = left > 4 * HOUR;
  byId('window-banner').hidden = plenty;
  byId('window-banner').querySelector('[data-left-text]').textContent = spoken(left);
  byId('window-chip').hidden = !plenty;
  byId('window-chip').querySelector('span').textContent = words('window_left', { time: spoken(left) });
}

setInterval(showWindow, 30_000);

/* Clicks */

let menuMessage;

const listAddress = () => `${base}/inbox?${new URLSearchParams({ v: byId('list').dataset.view, q: byId('list').dataset.q })}`;

/** Back to the list; on a wide screen that closes the thread. */
function backToList() {
  htmx.ajax('GET', listAddress(), { source: byId('inbox'), target: byId('inbox'), select: '#inbox', swap: 'outerMorph', push: 'true' });
}

function togglePanel() {
  const inbox = byId('inbox');
  if (inbox.classList.contains('phone-open') && !byId('panel').checkVisibility()) inbox.classList.remove('phone-open', 'panel-hidden');
  else inbox.classList.toggle(matchMedia('(max-width: 72rem)').matches ? 'panel-open' : 'panel-hidden');
  showPanelState();
}

function showPanelState() {
  const shown = Boolean(byId('panel')?.checkVisibility());
  document.querySelectorAll('.panel-toggle').forEach((button) => button.setAttribute('aria-expanded', String(shown)));
}

function togglePhone() {
  const beside = matchMedia('(min-width: 93.75rem)').matches;
  byId('inbox').classList.toggle(beside ? 'phone-hidden' : 'phone-open');
  sessionStorage.setItem('phone', byId('phone-pane').checkVisibility() ? '' : 'away');
  showPhone();
}

/** Whoever tries the demo sees both ends of the talk at once, unless the phone was put away in this tab. */
function layOutPhone() {
  const fits = matchMedia('(min-width: 72.01rem) and (max-width: 93.74rem)').matches;
  if (byId('phone-pane') && fits && sessionStorage.getItem('phone') !== 'away') byId('inbox').classList.add('phone-open');
}

/** The demo's phone costs as much as the inbox itself, so it is fetched when it is first in sight. */
function showPhone() {
  const pane = byId('phone-pane');
  if (!pane) return;
  const shown = pane.checkVisibility();
  document.querySelector('[data-toggle-phone]').setAttribute('aria-expanded', String(shown));
  if (!shown || document.querySelector('link[data-phone-style]')) return;
  const style = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: pane.dataset.style });
  style.dataset.phoneStyle = '';
  document.head.append(style);
  import(pane.dataset.script).catch(() => toast({ text: words('failed_request'), error: true }));
}

addEventListener('resize', showPhone);

document.addEventListener('click', (event) => {
  const on = (selector) => event.target.closest(selector);
  const row = on('#list .row');
  if (row && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
    document.querySelectorAll('#list .row[aria-current]').forEach((other) => other.removeAttribute('aria-current'));
    row.setAttribute('aria-current', 'true');
    byId('inbox').classList.remove('panel-open');
  }
  if (on('[data-clear-search]')) {
    byId('search').value = '';
    byId('search').focus();
  }
  if (on('[data-back]')) { event.preventDefault(); backToList(); }
  if (on('[data-toggle-panel]')) togglePanel();
  if (on('[data-toggle-phone], [data-hide-phone]')) togglePhone();
  if (on('[data-message-menu]')) {
    menuMessage = on('.msg');
    moveTabStop(on('[data-message-menu]'));
    openMenu(byId('message-menu'), on('[data-message-menu]'));
  }
  if (on('[data-message-act]')) actOnMessage(on('[data-message-act]').dataset.messageAct);
  if (on('[data-copy]')) copy(textOf(on('.msg')));
});

const textOf = (message) => [...message.querySelectorAll('.bubble .text, .bubble .answer')].map((part) => part.innerText.trim()).join('\n');

function actOnMessage(act) {
  if (act === 'copy') copy(textOf(menuMessage));
  if (act === 'reply') document.dispatchEvent(new CustomEvent('chime:quote', { detail: { id: menuMessage.dataset.id, text: textOf(menuMessage) } }));
  if (act === 'react') {
    const message = menuMessage;
    // After the menu of actions has closed, or closing it would close this one too.
    setTimeout(() => {
      byId('emoji').dataset.for = message.dataset.id;
      byId('emoji').querySelector('.linklike').hidden = !message.querySelector('[data-ours]');
      openMenu(byId('emoji'), message.querySelector('[data-message-menu]'));
    }, 20);
  }
}

document.addEventListener('chime:react', ({ detail: { message, emoji } }) => {
  post(`${openThread().dataset.url}/messages/${message}/reaction`, new URLSearchParams({ emoji }));
});

/* Plain forms of a message, sent without leaving the page */

document.addEventListener('submit', async (event) => {
  const form = event.target.closest('[data-in-place]');
  if (!form) return;
  event.preventDefault();
  const { confirm, confirmTitle, confirmVerb } = form.dataset;
  if (confirm && !await confirmed(confirmTitle, confirm, confirmVerb)) return;
  post(form.action, new URLSearchParams(new FormData(form)), form.closest('.msg'));
});

async function post(url, body, message) {
  const { conversation } = openThread().dataset;
  try {
    const answer = await send(url, { body });
    if (!answer.ok) {
      toast({ text: await explain(answer.status, answer.text), error: true });
      if (answer.status === 409 && message) await fetchMessages(openThread(), [message.dataset.id]); // how it stands by now
    } else if (answer.text.trim()) await receive(answer.text, conversation);
    else message?.remove();
  } catch {
    toast({ text: words('failed_request'), error: true });
  }
}

threadChanged();
showUnread();
showWindow();
layOutPhone();
showPanelState();
showPhone();
