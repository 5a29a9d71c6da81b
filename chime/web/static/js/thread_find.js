/** The bar that finds words in the open conversation and goes to a day.
 *
 * Fetched by thread.js when somebody asks for it. The words are marked by the browser's own highlights, so the messages
 * themselves stay as they are; a browser without those shows each hit by its frame.
 */
import { byId, send, swap } from './core.js';
import { openThread } from './thread.js';
import { showLine, showOthers } from './thread_go.js';
import { fetchStyle } from './styles.js';

const PAUSE = 250;
let timer;
let place = -1;
let asked = 0;

const lines = () => [...byId('found-lines')?.querySelectorAll('[data-line]') ?? []];

/** Open the bar; `day` puts the focus on the calendar instead of the words. */
export async function find(what) {
  const thread = openThread();
  if (!thread) return;
  fetchStyle('viewer');
  if (!byId('finder')) {
    const answer = await send(`${thread.dataset.url}/search`, { method: 'GET' });
    if (!answer.ok || openThread() !== thread) return;
    await swap(byId('finder-slot'), answer.text);
  }
  const field = byId(what === 'day' ? 'finder-day' : 'finder-q');
  field.focus();
  if (what === 'day') try { field.showPicker(); } catch { /* not every browser has one to show */ }
  else field.select();
}

function close() {
  byId('finder-slot')?.replaceChildren();
  CSS.highlights?.delete('found');
  place = -1;
  byId('scroller')?.focus();
}

async function look() {
  const turn = ++asked;
  const field = byId('finder-q');
  const text = field.value.trim();
  const query = new URLSearchParams({ q: text });
  const answer = text ? await send(`${openThread().dataset.url}/search?${query}`, { method: 'GET' }).catch(() => ({ ok: false })) : { ok: true, text: '' };
  if (turn !== asked || !byId('finder') || !answer.ok) return;
  await swap(byId('finder-hits'), answer.text);
  place = -1;
  if (lines().length) step(1);
  else tell();
  mark();
}

/** What was found earlier than all that is known so far. */
async function more() {
  const list = byId('found-lines');
  const query = new URLSearchParams({ q: byId('finder-q').value.trim(), cursor: list.dataset.next });
  const answer = await send(`${openThread().dataset.url}/search?${query}`, { method: 'GET' });
  if (!answer.ok) return;
  const known = [...list.children];
  await swap(byId('finder-hits'), answer.text);
  byId('found-lines').prepend(...known);
}

async function step(by) {
  if (place + by >= lines().length && byId('found-lines')?.dataset.next) await more();
  const all = lines();
  if (!all.length) return;
  place = Math.min(Math.max(place + by, 0), all.length - 1);
  tell();
  await showLine(all[place].dataset.line);
  mark();
}

function tell() {
  const count = byId('finder-count');
  const all = lines().length;
  const form = all ? (byId('found-lines').dataset.next ? count.dataset.more : count.dataset.of) : count.dataset.none;
  count.textContent = byId('finder-q').value.trim() ? form.replace('{place}', String(place + 1)).replace('{count}', String(all)) : '';
}

const fold = (text) => text.toLowerCase().normalize('NFD').replace(/[\u0300-\u036f]/g, '');

/** Mark every found word that is on the page. */
function mark() {
  if (!window.Highlight) return;
  const wanted = JSON.parse(byId('found-lines')?.dataset.words ?? '[]').map(([word, beginning]) => [fold(word), beginning]);
  const ranges = [];
  for (const part of wanted.length ? document.querySelectorAll('#messages :is(.text, .note-text, .file-name)') : []) {
    const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      for (const match of walker.currentNode.data.matchAll(/[\p{L}\p{N}\p{M}]+/gu)) {
        const word = fold(match[0]);
        if (!wanted.some(([one, beginning]) => (beginning ? word.startsWith(one) : word === one))) continue;
        const range = new Range();
        range.setStart(walker.currentNode, match.index);
        range.setEnd(walker.currentNode, match.index + match[0].length);
        ranges.push(range);
      }
    }
  }
  CSS.highlights.set('found', new Highlight(...ranges));
}

document.addEventListener('input', (event) => {
  if (event.target.id !== 'finder-q') return;
  clearTimeout(timer);
  timer = setTimeout(look, PAUSE);
});

document.addEventListener('change', (event) => {
  if (event.target.id === 'finder-day' && event.target.value) showOthers({ day: event.target.value });
});

document.addEventListener('submit', (event) => {
  if (!event.target.matches('[data-finder]')) return;
  event.preventDefault();
  step(1);
});

document.addEventListener('keydown', (event) => {
  if (!event.target.closest?.('#finder')) return;
  if (event.key === 'Escape') close();
  if (event.key === 'Enter' && event.shiftKey && event.target.id === 'finder-q') {
    event.preventDefault();
    step(-1);
  }
});

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-finder-step]');
  if (button) step(Number(button.dataset.finderStep));
  if (event.target.closest('[data-finder-close]')) close();
});

document.addEventListener('chime:thread', () => CSS.highlights?.delete('found'));
