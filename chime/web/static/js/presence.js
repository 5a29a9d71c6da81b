/** Who else has a conversation on the screen, and who is writing in it. Fetched by write.js once the page is at rest.
 *
 * A tab says where it is while somebody is at it: every 40 s, at most every 3 s while they write, and once when it goes.
 * Whoever looks away, or does nothing for five minutes, says nothing more; so an idle inbox stays below two requests a
 * minute. What the others do comes over the live line and is forgotten here when nobody repeats it.
 */
import { byId, headers, newId, send, words } from './core.js';
import { subscribe } from './live.js';
import { openThread } from './thread.js';

const { base, user } = document.body.dataset;
const AGAIN = 40_000;
const AWAY = 300_000;
const TYPING_EVERY = 3_000;
const STOPPED = 5_000;
const LOOKS_FOR = 90_000;
const PASSING = 250; // somebody who goes through the list is at none of these conversations

const tab = newId().slice(0, 12);
const people = new Map(); // conversation -> [{id, name, mode, until}]
let did = performance.now(); // when somebody last did something here
let told = { url: '', mode: '', at: -Infinity };
let quiet;
let passing;

/* Saying where one is */

const atWork = () => document.visibilityState === 'visible' && document.hasFocus() && performance.now() - did < AWAY;

function say(mode) {
  const url = openThread()?.dataset.url;
  if (!url || !atWork()) return;
  told = { url, mode, at: performance.now() };
  send(`${url}/presence`, { body: new URLSearchParams({ mode, tab }) }).catch(() => {});
}

/** Also while the page goes away, so it must outlive it. */
function leave() {
  if (!told.url) return;
  fetch(`${told.url}/presence`, { method: 'POST', keepalive: true, headers: headers(), body: new URLSearchParams({ mode: 'leave', tab }) }).catch(() => {});
  told = { url: '', mode: '', at: -Infinity };
}

function look() {
  const url = openThread()?.dataset.url;
  if (!url) leave();
  else if (url !== told.url || performance.now() - told.at > AGAIN / 2) say('view');
}

document.addEventListener('input', ({ target }) => {
  const mode = { text: 'type', 'note-text': 'note' }[target.id];
  if (!mode) return;
  clearTimeout(quiet);
  quiet = setTimeout(() => say('view'), STOPPED);
  did = performance.now();
  if (target.value && (told.mode !== mode || performance.now() - told.at > TYPING_EVERY)) say(mode);
});

/** What was sent is written. */
document.addEventListener('submit', ({ target }) => {
  clearTimeout(quiet);
  if (['composer', 'note-form'].includes(target.id) && told.mode !== 'view') say('view');
});

for (const kind of ['pointerdown', 'keydown', 'scroll']) {
  document.addEventListener(kind, () => {
    const back = !atWork();
    did = performance.now();
    if (back) look();
  }, { capture: true, passive: true });
}

document.addEventListener('visibilitychange', () => (document.visibilityState === 'visible' ? look() : leave()));
document.addEventListener('chime:thread', () => {
  clearTimeout(passing);
  passing = setTimeout(look, PASSING);
});
addEventListener('focus', look);
addEventListener('pagehide', leave);
setInterval(() => { if (told.mode !== 'type' && told.mode !== 'note') say('view'); }, AGAIN);

/* Showing where the others are */

function learn(conversation, list) {
  const now = performance.now();
  const others = list.filter(({ id }) => id !== user).map(({ id, name, mode, left }) => ({ id, name, mode, until: now + left * 1000 }));
  if (others.length) people.set(conversation, others);
  else people.delete(conversation);
}

/** Who wrote and went quiet still looks; who was not heard of for long has gone. */
function forget() {
  const now = performance.now();
  for (const [conversation, list] of people) {
    const left = list.map((one) => (one.until < now && one.mode !== 'view' ? { ...one, mode: 'view', until: now + LOOKS_FOR } : one)).filter(({ until }) => until >= now);
    if (left.length) people.set(conversation, left);
    else people.delete(conversation);
  }
}

const initials = (name) => name.trim().split(/\s+/).slice(0, 2).map((part) => [...part][0] ?? '').join('').toUpperCase();
const spoken = ({ name, mode }) => words({ view: 'is_here', type: 'is_writing', note: 'is_noting' }[mode], { name });

function face(person) {
  const span = document.createElement('span');
  span.className = 'avatar avatar-s person';
  span.dataset.mode = person.mode;
  span.title = spoken(person);
  span.setAttribute('role', 'img');
  span.setAttribute('aria-label', spoken(person));
  span.textContent = initials(person.name);
  return span;
}

/** Nothing is touched that shows the same already, or a screen reader would read it again. */
function put(box, list, mark) {
  if (box.dataset.people === mark && box.childElementCount === list.length) return;
  box.dataset.people = mark;
  box.replaceChildren(...list.map(face));
}

const markOf = (list) => list.map(({ id, mode }) => `${id}:${mode}`).join();

function show() {
  if (people.size) loadStyle();
  const open = people.get(openThread()?.dataset.conversation) ?? [];
  if (byId('people-here')) put(byId('people-here'), open.slice(0, 4), markOf(open.slice(0, 4)));
  showWriting(open);
  for (const row of document.querySelectorAll('#rows > li[id^="c-"]')) {
    const list = (people.get(row.id.slice(2)) ?? []).slice(0, 2);
    let box = row.querySelector('.row-people');
    if (!list.length) box?.remove();
    else {
      box ??= row.querySelector('.row-side').appendChild(Object.assign(document.createElement('span'), { className: 'row-people' }));
      put(box, list, markOf(list));
    }
  }
}

function showWriting(open) {
  const line = byId('writing-now');
  if (!line) return;
  const writing = open.filter(({ mode }) => mode !== 'view');
  const text = writing.slice(0, 2).map(spoken).join(' · ');
  if (line.textContent !== text) line.textContent = text;
  line.hidden = !text;
  byId('composer-slot').classList.toggle('somebody-writes', writing.some(({ mode }) => mode === 'type'));
}

function loadStyle() {
  const address = byId('inbox').dataset.laterStyle;
  if (document.querySelector(`link[href="${address}"]`)) return;
  document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: address }));
}

subscribe((kind, data) => {
  if (kind === 'presence') learn(data.conversation, data.people);
  if (kind === 'presence') show();
  if (kind === 'resync') ask();
});

document.addEventListener('htmx:after:swap', show);
setInterval(() => { if (people.size) { forget(); show(); } }, 2_000);

async function ask() {
  const answer = await send(`${base}/presence`, { method: 'GET' }).catch(() => null);
  if (!answer?.ok) return;
  people.clear();
  for (const [conversation, list] of Object.entries(JSON.parse(answer.text).people)) learn(conversation, list);
  show();
}

look();
ask();
