/** Quick replies in the composer: a slash at the start of a word opens a list, arrows choose, Enter or Tab inserts.
 * Fetched by composer.js when somebody begins to write.
 *
 * Promises: nothing typed is lost, Enter never sends what only named a quick reply, and a blank that nothing filled is
 * outlined and told before it can leave.
 */
import { byId, send, swap, toast, words } from './core.js';
import { insertText } from './composer.js';
import { openThread } from './thread.js';

const WAIT = 60; // ms between the last letter and the question
const BLANK = /\{\{((?:contact|agent|workspace|channel)\.[^{}|]+)\}\}/g;

const field = () => byId('text');
const box = () => byId('offers');
const options = () => [...(box()?.querySelectorAll('.offer') ?? [])];
const active = () => box()?.querySelector('[aria-selected="true"]');
const isOpen = () => Boolean(box() && !box().hidden);

let asked = 0; // the number of the newest question
let waiting = false; // whether its answer is still to come
let entered = false; // whether Enter was pressed meanwhile
let dismissed = -1; // where the slash stands whose list was closed with Esc
let timer;

/** The slash before the caret and the letters after it, if they are the start of a word. */
function slash() {
  const area = field();
  if (!area || area.selectionStart !== area.selectionEnd) return null;
  const found = /(?:^|\s)\/([^\s/]*)$/.exec(area.value.slice(0, area.selectionStart));
  return found && { letters: found[1], start: area.selectionStart - found[1].length - 1, end: area.selectionStart };
}

/** Look at what is written now. */
export function look() {
  showBlanks();
  const found = slash();
  field()?.setAttribute('aria-autocomplete', 'list');
  if (!found) dismissed = -1;
  if (!found || found.start === dismissed || !box()) close();
  else ask(found.letters);
}

/** The button: the same as a slash typed at the caret. */
export function begin() {
  const area = field();
  area.focus();
  dismissed = -1;
  if (slash()) look();
  else insertText(/(^|\s)$/.test(area.value.slice(0, area.selectionStart)) ? '/' : ' /');
}

function ask(letters) {
  const number = ++asked;
  waiting = true;
  clearTimeout(timer);
  timer = setTimeout(async () => {
    let answer;
    try {
      answer = await send(`${box().dataset.url}?${new URLSearchParams({ q: letters })}`, { method: 'GET' });
    } catch {
      answer = { ok: false };
    }
    if (number === asked) await show(answer, letters);
  }, WAIT);
}

async function show(answer, letters) {
  waiting = false;
  if (!answer.ok || !box()) {
    close();
    return;
  }
  await swap(box(), answer.text);
  const found = options();
  box().hidden = !found.length && Boolean(letters);
  byId('toast-status').textContent = found.length ? words('offers', { count: found.length }) : words('no_offers');
  if (found.length) choose(found[0]);
  else field().removeAttribute('aria-activedescendant');
  const pressed = entered;
  entered = false;
  if (pressed && found.length) insert(found[0]);
  else if (pressed) byId('composer').requestSubmit();
}

function choose(option) {
  options().forEach((one) => one.setAttribute('aria-selected', String(one === option)));
  field().setAttribute('aria-controls', 'offer-list');
  field().setAttribute('aria-activedescendant', option.id);
  option.scrollIntoView({ block: 'nearest' });
}

function close() {
  asked += 1;
  waiting = false;
  entered = false;
  clearTimeout(timer);
  if (!box()) return;
  box().hidden = true;
  box().replaceChildren();
  field()?.removeAttribute('aria-activedescendant');
  field()?.removeAttribute('aria-controls');
}

/** Put it where the slash stands, and its files into the tray. */
function insert(option) {
  const area = field();
  const place = slash();
  if (!place) return;
  const { text, use } = option.dataset;
  const files = [...option.querySelectorAll('[data-file]')].map(({ dataset }) => ({ ...dataset }));
  close();
  if (area.value.length - (place.end - place.start) + text.length > area.maxLength) {
    dismissed = place.start;
    toast({ text: words('reply_too_long'), error: true });
    return;
  }
  area.setSelectionRange(place.start, place.end);
  insertText(text);
  const [blank] = blanks(place.start, place.start + text.length);
  if (blank) area.setSelectionRange(blank.index, blank.index + blank[0].length);
  takeFiles(files, openThread().dataset.conversation);
  send(use).catch(() => {}); // a count, no more
}

let fetched = Promise.resolve(); // so that files of two replies keep their order

function takeFiles(files, conversation) {
  if (!files.length) return;
  fetched = fetched.then(async () => {
    const [{ addFiles }, ...got] = await Promise.all([import('./media.js'), ...files.map(download)]);
    if (openThread()?.dataset.conversation === conversation) addFiles(got);
  }).catch(() => toast({ text: words('failed_request'), error: true }));
}

async function download({ file, name, type }) {
  const response = await fetch(file, { credentials: 'same-origin' });
  if (!response.ok) throw new Error(`a file of a quick reply: ${response.status}`);
  return new File([await response.blob()], name, { type });
}

/* Blanks that nothing filled */

let agreed = ''; // a text somebody wants to send with its blanks

const blanks = (start = 0, end = Infinity) => [...(field()?.value ?? '').matchAll(BLANK)].filter(({ index }) => index >= start && index < end);

function showBlanks() {
  const left = blanks();
  field()?.classList.toggle('has-blanks', left.length > 0);
  if (!byId('blanks')) return;
  byId('blanks').hidden = !left.length;
  const names = [...new Set(left.map(([, name]) => name))].join(', ');
  const said = left.length ? words('blanks_left', { names }) : '';
  if (byId('blanks').textContent !== said) byId('blanks').textContent = said;
  if (left.length) field().setAttribute('aria-describedby', 'blanks');
  else field()?.removeAttribute('aria-describedby');
}

// Before composer.js hears of it: once it stays here, the same text sent again leaves.
document.addEventListener('submit', (event) => {
  if (event.target !== byId('composer')) return;
  close();
  const [blank] = blanks();
  if (!blank || agreed === field().value) {
    agreed = '';
    setTimeout(showBlanks);
    return;
  }
  event.preventDefault();
  event.stopPropagation();
  agreed = field().value;
  showBlanks();
  field().focus();
  field().setSelectionRange(blank.index, blank.index + blank[0].length);
}, true);

/* Keys and clicks, before the composer's own */

const steps = { ArrowDown: 1, ArrowUp: -1 };

function onKey(event) {
  const plain = !event.shiftKey && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (event.key === 'Enter' && waiting && plain && slash()) {
    entered = true;
    return true;
  }
  if (!isOpen()) return false;
  if (event.key === 'Escape') {
    dismissed = slash()?.start ?? -1;
    close();
    return true;
  }
  const found = options();
  if (!found.length || !plain) return false;
  if (event.key in steps) choose(found.at((found.indexOf(active()) + steps[event.key]) % found.length));
  else if (event.key === 'Enter' || event.key === 'Tab') insert(active());
  else return false;
  return true;
}

document.addEventListener('keydown', (event) => {
  if (event.target !== field() || event.isComposing || !onKey(event)) return;
  event.preventDefault();
  event.stopPropagation();
}, true);

// The field keeps the focus, so a phone's keyboard stays.
document.addEventListener('pointerdown', (event) => { if (event.target.closest('.offer')) event.preventDefault(); });
document.addEventListener('mousedown', (event) => { if (event.target.closest('.offer')) event.preventDefault(); });

document.addEventListener('click', (event) => {
  const option = event.target.closest('.offer');
  if (option) insert(option);
  else if (isOpen() && !event.target.closest('#offers, [data-pick-reply], #text')) close();
});

document.addEventListener('focusout', (event) => {
  if (event.target === field()) setTimeout(() => { if (isOpen() && document.activeElement !== field() && !box().contains(document.activeElement)) close(); });
});

document.addEventListener('chime:thread', close);
