/** Bubbles that exist before the server knows of them: on their way, held up, failed. Fetched with what sends. */
import { byId } from './core.js';
import { gap, mendDays, scrollToEnd, timeOf } from './thread.js';

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
  if (gap()) import('./thread_go.js').then(({ showEnd }) => showEnd(), () => {});
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
