/** The inbox page: keeps list, thread, window and unread counts true while nudges come in, and serves the message menu.
 *
 * Nothing here holds an element for longer than a moment: panes are replaced by clicks, by history and by live updates,
 * so handlers are delegated and look up what is there.
 */
import { byId, htmx, isRefresh, openMenu, send, swap, toast, words } from './core.js';
import { subscribe } from './live.js';
import { moveTabStop, openThread, receive, showPlace, textOf } from './thread.js';

const { base } = document.body.dataset;
const GATHER = 40; // nudges of one moment make one request
const AGAIN = 1500;
const LIST_PAUSE = 300;
const LIST_SHARE = 8; // a server that needs long for a list is asked less often: fifty busy inboxes share it
const LIST_PAUSE_UNDER_POINTER = 1500; // rows must not move under somebody who is about to click
const MAX_ROWS_KEPT = 300;

/* What changed, until it is fetched */

const stale = { messages: new Set(), state: false, conversations: new Set() };
let gatherTimer;
let listTimer;
let listAt = 0;
let listTook = 0;
let missed = false; // a refresh got no answer; it is made up for when the connection is back

subscribe((kind, data) => {
  if (kind === 'resync' || (kind === 'connected' && missed)) resync();
  if (kind === 'nudge') note(data);
  if (kind === 'refused') fetchList();
});

document.addEventListener('htmx:error', ({ detail }) => {
  if (isRefresh(detail.ctx?.sourceElement)) missed = true;
});

function note({ topic, id, conversation }) {
  if (topic === 'support') {
    showSupport();
    return;
  }
  if (topic === 'notification') return; // bell.js
  const open = openThread()?.dataset.conversation;
  if (topic === 'message' && conversation === open) stale.messages.add(id);
  // A conversation went to another team: perhaps out of this list, perhaps the one that is open.
  if (topic === 'inbox' || (topic === 'conversation' && id === open) || (topic === 'contact' && id === byId('panel')?.dataset.contact)) stale.state = true;
  stale.conversations.add(conversation ?? id);
  gatherTimer ??= setTimeout(fetchThread, GATHER);
  if (topic === 'inbox' && id === 'rights') fetchList(); // what one may not see any more goes at once
  else planList();
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
  if (answer.status === 429) { // too much at once: these wait a moment, they are not lost
    ids.forEach((id) => stale.messages.add(id));
    gatherTimer ??= setTimeout(fetchThread, AGAIN);
  }
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

/** Who of support is inside: the banner of every page. */
async function showSupport() {
  const answer = await send(`${base}/support/banner`, { method: 'GET' }).catch(() => null);
  if (answer?.ok) swap(byId('support'), answer.text);
  else missed = true;
}

function planList() {
  const list = byId('list');
  if (list.dataset.search) return; // what was found stays as it is until something else is typed
  const pause = list.matches(':hover, :focus-within') ? LIST_PAUSE_UNDER_POINTER : Math.max(LIST_PAUSE, LIST_SHARE * listTook);
  listTimer ??= setTimeout(fetchList, Math.max(GATHER, listAt + pause - Date.now(), pause === LIST_PAUSE_UNDER_POINTER ? pause : 0));
}

function fetchList() {
  listTimer = undefined;
  listAt = Date.now();
  const list = byId('list');
  if (byId('search').value.trim() || list.dataset.search) return;
  const asked = new URLSearchParams(list.dataset.query);
  asked.set('selected', openThread()?.dataset.conversation ?? '');
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
let shownConversation;

// While a conversation is on its way: keys.js holds the keys that are meant for it.
document.addEventListener('htmx:before:request', ({ detail: { ctx } }) => {
  if (ctx.target?.id === 'thread') byId('inbox').dataset.opening = Date.now();
});
document.addEventListener('htmx:finally:request', ({ detail: { ctx } }) => {
  if (ctx.target?.id === 'thread') delete byId('inbox').dataset.opening;
});

document.addEventListener('htmx:after:swap', ({ detail: { ctx } }) => {
  if (ctx.sourceElement?.id === 'list') {
    stale.conversations.clear();
    listTook = Math.min(600, Date.now() - listAt);
  }
  // Going back to the list keeps the element and takes the conversation out of it.
  if (byId('thread') !== shownThread || openThread()?.dataset.conversation !== shownConversation) threadChanged();
  if (['list', 'thread'].includes(ctx.target?.id)) markOpenRow();
  // The button that resolved or assigned is another one now: Tab goes on from the conversation, not from the top.
  if (ctx.target?.id === 'thread-header' && document.activeElement === document.body) byId('content')?.focus({ preventScroll: true });
  const dialog = ctx.sourceElement?.closest?.('#dialog');
  if (dialog && ['incoming', 'list'].includes(ctx.target?.id) && ctx.response?.status < 400) dialog.close();
  if (ctx.sourceElement?.matches?.('#panel form') && ctx.response?.status < 400) ctx.sourceElement.reset();
  showUnread();
  showWindow();
});

function threadChanged() {
  const first = shownThread === undefined;
  const left = shownConversation;
  shownThread = byId('thread');
  const thread = openThread();
  shownConversation = thread?.dataset.conversation;
  byId('inbox').dataset.pane = thread ? 'thread' : 'list';
  if (thread && !first) document.title = thread.dataset.title;
  const selected = document.querySelector('#list input[name="selected"]');
  if (selected) selected.value = thread?.dataset.conversation ?? '';
  moveTabStop();
  document.dispatchEvent(new CustomEvent('chime:thread'));
  if (thread && !first) byId('content').focus({ preventScroll: true });
  else if (!thread && left) byId(`c-${left}`)?.querySelector('.row').focus();
  showPlace();
  markRead();
  markSeen();
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
  if (!thread.dataset.unread) return; // whoever only looks on reads nothing for the team
  thread.dataset.unread = String(Number(thread.dataset.unread) + detail.count);
  markRead();
});
document.addEventListener('visibilitychange', markRead);
addEventListener('focus', markRead);

/** Whoever looks at a conversation has seen the notes that call them there. */
function markSeen() {
  const thread = openThread();
  if (!thread?.dataset.called || document.visibilityState !== 'visible') return;
  delete thread.dataset.called;
  send(`${thread.dataset.url}/mentions/seen`).catch(() => { thread.dataset.called = 'true'; });
}

document.addEventListener('visibilitychange', markSeen);

document.addEventListener('toggle', ({ target }) => {
  if (target.id !== 'note-box' || !target.open) return;
  byId('note-text').focus();
  withNotes();
}, true);

// Whoever writes faster than the script comes loses nothing: the press that meant it is done again when it is here.
let notes = false;
const withNotes = (then) => import('./notes.js').then(() => { notes = true; then?.(); }, () => toast({ text: words('failed_request'), error: true }));
const noteLater = (event, again) => { if (!notes) { event.preventDefault(); event.stopPropagation(); withNotes(again); } };

document.addEventListener('submit', (event) => {
  if (event.target.id === 'note-form') noteLater(event, () => event.target.requestSubmit());
}, true);

document.addEventListener('keydown', (event) => {
  const { key, target, shiftKey, isComposing } = event;
  if (target.id !== 'note-text' || key !== 'Enter' || shiftKey || isComposing) return;
  noteLater(event, () => target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })));
}, true);

document.addEventListener('toggle', ({ target, newState }) => {
  if (target.id === 'assign-menu' && newState === 'open') import('./availability.js').then(({ show }) => show(target), () => {});
}, true);

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
setInterval(() => document.querySelector('[data-due]') && import('./due.js').then(({ tick }) => tick(), () => {}), 15_000);

/* Clicks */

let menuMessage;

const listAddress = () => `${base}/inbox?${[byId('list').dataset.query, byId('list').dataset.search].filter(Boolean).join('&')}`;

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

document.addEventListener('click', (event) => {
  const on = (selector) => event.target.closest(selector);
  const row = on('#list .row');
  if (row && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
    document.querySelectorAll('#list .row[aria-current]').forEach((other) => other.removeAttribute('aria-current'));
    row.setAttribute('aria-current', 'true');
    byId('inbox').classList.remove('panel-open');
  }
  if (on('[data-search-text]')) byId('search').value = on('[data-search-text]').dataset.searchText;
  if (on('[data-clear-search]')) byId('search').focus();
  if (on('[data-back]')) { event.preventDefault(); backToList(); }
  if (on('[data-toggle-panel]')) togglePanel();
  if (on('[data-message-menu]')) {
    menuMessage = on('.msg');
    moveTabStop(on('[data-message-menu]'));
    openMenu(byId('message-menu'), on('[data-message-menu]'));
  }
  const deed = on('[data-message-act]')?.dataset.messageAct;
  // At once: who begins to write must not have sent before the quote is there.
  if (deed === 'reply') document.dispatchEvent(new CustomEvent('chime:quote', { detail: { id: menuMessage.dataset.id, text: textOf(menuMessage) }, cancelable: true }));
  else if (deed) withActs(({ act }) => act(deed, menuMessage));
  const copied = on('[data-copy]') && on('.msg');
  if (copied) withActs(({ act }) => act('copy', copied));
});

/* What is done with one message comes with the first deed. Plain forms are sent without leaving the page. */

const withActs = (then) => import('./message_acts.js').then(then, () => toast({ text: words('failed_request'), error: true }));

document.addEventListener('submit', (event) => {
  const form = event.target.closest('[data-in-place]');
  if (!form) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form)); // as it is now
  withActs(({ sendForm }) => sendForm(form, body, fetchMessages));
});

threadChanged();
showUnread();
showWindow();
showPanelState();
if (byId('phone-pane')) import('./phone_pane.js').then(showPanelState, () => toast({ text: words('failed_request'), error: true }));
