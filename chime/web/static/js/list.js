/** Choosing several conversations of the list and changing them at once; the counts of saved views.
 *
 * Fetched when somebody first chooses. What is chosen is known by its id, so it outlives a list that is drawn anew; the
 * boxes are put into each answer before it is laid over the page, so rows keep their elements and their focus.
 */
import { byId, explain, htmx, send, swap, toast, words } from './core.js';

const { base } = document.body.dataset;
const chosen = new Set();
let on = false;
let everything = 0; // how many, when all that match are chosen
let last; // the row a range begins at
let held = false; // a long press chose already; the click that follows it does nothing

const items = (root = document) => [...root.querySelectorAll('#rows > li[id^="c-"]')];
const idOf = (item) => item.id.slice(2);
const boxOf = (item) => item.querySelector(':scope > .pick input');
const filled = (name, values) => Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, value), byId('bulk').dataset[name]);

/** What a control or key of the list asks for. */
export async function use(what, row) {
  if (what === 'counts') return showCounts();
  if (what === 'l') return on ? byId('bulk-tag-open').click() : document.querySelector('.thread-head [data-key="l"]')?.click();
  if (what === 'select' && on) return end();
  if (!on && !await begin()) return undefined;
  const item = row?.closest('li');
  if (what === 'hold') held = true;
  if (what === '*') choose(items(), !items().every((one) => chosen.has(idOf(one))));
  else if (what === 'X') range(item);
  else if (item && what !== 'select') choose([item], !chosen.has(idOf(item)));
  return undefined;
}

async function begin() {
  const answer = await send(`${base}/inbox/bulk`, { method: 'GET' }).catch(() => null);
  if (!answer?.ok) {
    toast({ text: answer ? await explain(answer.status, answer.text) : words('failed_request'), error: true });
    return false;
  }
  if (on) return true;
  on = true;
  const slot = document.createElement('div');
  slot.id = 'bulk-slot';
  byId('list').before(slot);
  await swap(slot, answer.text);
  document.querySelector('.list-pane').classList.add('selecting');
  dress(document);
  show();
  return true;
}

function end() {
  const had = byId('bulk-slot')?.contains(document.activeElement);
  on = false;
  chosen.clear();
  everything = 0;
  byId('bulk-slot')?.remove();
  document.querySelector('.list-pane').classList.remove('selecting');
  document.querySelectorAll('#rows .pick').forEach((pick) => pick.remove());
  if (had) (last?.isConnected ? last : items()[0])?.querySelector('.row').focus({ preventScroll: true });
}

/** A box before each row. */
function dress(root) {
  for (const item of items(root)) {
    if (boxOf(item)) continue;
    const pick = document.createElement('label');
    pick.className = 'pick';
    const box = Object.assign(document.createElement('input'), { type: 'checkbox', className: 'pick-box' });
    box.setAttribute('aria-label', filled('box', { name: item.querySelector('.row-name').textContent.trim() }));
    pick.append(box);
    item.prepend(pick);
  }
}

function choose(some, is) {
  everything = 0;
  for (const item of some) chosen[is ? 'add' : 'delete'](idOf(item));
  last = some.at(-1);
  show();
}

function range(item) {
  const all = items();
  const [from, to] = [all.findIndex((one) => one.id === last?.id), all.indexOf(item)];
  if (to < 0) return;
  choose(from < 0 ? [item] : all.slice(Math.min(from, to), Math.max(from, to) + 1), true);
  last = item;
}

function show() {
  const all = items();
  for (const item of all) boxOf(item).checked = Boolean(everything) || chosen.has(idOf(item));
  const count = everything || chosen.size;
  const whole = all.length > 0 && all.every((item) => chosen.has(idOf(item)));
  byId('bulk-count').textContent = everything ? filled('all', { count: everything.toLocaleString() }) : count ? filled('chosen', { count }) : byId('bulk').dataset.none;
  Object.assign(byId('bulk-all'), { checked: Boolean(everything) || whole, indeterminate: !everything && count > 0 && !whole });
  byId('bulk').querySelectorAll('.bulk-acts button').forEach((button) => { button.disabled = count === 0; });
  const match = byId('bulk-match');
  match.hidden = true;
  if (whole && !everything && byId('more-rows')) offerAll(match);
}

async function offerAll(match) {
  const answer = await send(`${base}/inbox/bulk/count?${byId('list').dataset.query}`, { method: 'GET' }).catch(() => null);
  if (!answer?.ok || !on || everything) return;
  const { count, most } = JSON.parse(answer.text);
  if (count <= chosen.size || count >= most) return;
  match.textContent = filled('match', { count: count.toLocaleString() });
  match.dataset.count = String(count);
  match.hidden = false;
}

async function act(values) {
  const body = new URLSearchParams(values);
  if (everything) {
    body.set('all', '1');
    body.set('query', byId('list').dataset.query);
  } else {
    chosen.forEach((id) => body.append('id', id));
  }
  const answer = await send(`${base}/inbox/bulk`, { body }).catch(() => null);
  if (!answer?.ok) {
    toast({ text: answer ? await explain(answer.status, answer.text) : words('failed_request'), error: true });
    return;
  }
  end();
  if (answer.text.trim()) showProgress(answer.text);
  refresh();
}

function refresh() {
  const list = byId('list');
  const selected = document.querySelector('#thread')?.dataset.conversation ?? '';
  htmx.ajax('GET', `${base}/inbox/list?${list.dataset.query}&selected=${selected}`, { source: list, target: list, swap: 'outerMorph' });
}

/** A change of many goes on without this page; here one sees how far it is. */
async function showProgress(text) {
  byId('bulk-progress')?.remove();
  const slot = document.createElement('div');
  byId('list').before(slot);
  await swap(slot, text);
  slot.replaceWith(...slot.childNodes);
}

async function showCounts() {
  const shown = byId('saved-views');
  if (!shown) return;
  // The browser keeps the answer for a while, so that a glance costs nothing.
  const answer = await fetch(shown.dataset.src, { headers: { 'HX-Request': 'true' }, credentials: 'same-origin' }).catch(() => null);
  if (!answer?.ok) return;
  const { counts, most } = await answer.json();
  for (const item of byId('saved-views').querySelectorAll('[data-saved]')) {
    const count = counts[item.dataset.saved] ?? 0;
    const badge = item.querySelector('.badge') ?? item.appendChild(Object.assign(document.createElement('span'), { className: 'badge' }));
    badge.hidden = count === 0;
    badge.textContent = count >= most ? `${most.toLocaleString()}+` : String(count);
  }
}

document.addEventListener('htmx:before:swap', ({ detail: { ctx, tasks } }) => {
  if (!on) return;
  for (const task of tasks) if (task.target?.id === 'list') dress(task.fragment);
  if (ctx.target?.id === 'list' && ctx.sourceElement?.id !== 'list') { // another list: what was chosen there is not here
    chosen.clear();
    everything = 0;
  }
});

document.addEventListener('htmx:after:swap', () => {
  if (!on) return;
  dress(document);
  show();
});

document.addEventListener('click', (event) => {
  const find = (selector) => event.target.closest(selector);
  if (find('[data-bulk-away]')) byId('bulk-progress').remove();
  if (!on) return;
  const item = find('#rows > li[id^="c-"]');
  if (item && !event.metaKey && !event.ctrlKey) {
    event.stopPropagation();
    if (!find('.pick-box')) event.preventDefault();
    if (held) held = false;
    else if (!find('.pick') || find('.pick-box')) {
      if (event.shiftKey) range(item);
      else choose([item], !chosen.has(idOf(item)));
    }
    return;
  }
  if (find('[data-bulk-end]')) end();
  if (find('#bulk-all')) choose(items(), find('#bulk-all').checked);
  if (find('#bulk-match')) {
    everything = Number(find('#bulk-match').dataset.count);
    show();
  }
  const verb = find('#bulk [data-act]');
  if (verb) act({ act: verb.dataset.act, to: verb.dataset.to ?? '' });
}, true);

document.addEventListener('submit', (event) => {
  const form = event.target.closest('[data-bulk-tag]');
  if (!form) return;
  event.preventDefault();
  byId('bulk-tag').hidePopover();
  act({ act: 'tag', name: new FormData(form).get('name') });
}, true);

document.addEventListener('contextmenu', (event) => {
  if (held && event.target.closest('#rows .row')) event.preventDefault();
});

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && on && !document.querySelector('dialog[open], .menu:popover-open')) end();
});
