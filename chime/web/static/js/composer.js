/** Writing: drafts, sending with a bubble shown at once, quoting, emoji, typing notes, and the dialogs that compose.
 *
 * Promises: what was typed is never lost (it stays in the field, the draft or the bubble), messages leave in the order
 * they were written, and a repeat carries the same `client_id`, so it cannot be sent twice.
 */
import { byId, explain, newId, send, swap, toast, words } from './core.js';
import { subscribe } from './live.js';
import { failBubble, insertByTime, noteOn, openThread, pendingBubble, receive } from './thread.js';

const { base } = document.body.dataset;
const TYPING_EVERY = 20_000; // WhatsApp shows the dots for 25 s
const RETRY_AFTER = 3_000;

const composer = () => byId('composer');
const field = () => byId('text');

/* Drafts, one for each conversation, for as long as the tab lives */

const draftKey = (conversation) => `draft:${base}:${conversation}`;

function keepDraft(conversation, text) {
  if (text) sessionStorage.setItem(draftKey(conversation), text);
  else sessionStorage.removeItem(draftKey(conversation));
}

function restoreDraft() {
  const thread = openThread();
  if (!thread || !field() || field().value) return;
  field().value = sessionStorage.getItem(draftKey(thread.dataset.conversation)) ?? '';
  fit();
}

/** Browsers without `field-sizing` grow the field by hand. */
function fit() {
  if (CSS.supports('field-sizing', 'content') || !field()) return;
  field().style.height = 'auto';
  field().style.height = `${field().scrollHeight + 2}px`;
}

let typedAt = 0;

document.addEventListener('input', (event) => {
  if (event.target !== field()) return;
  keepDraft(openThread().dataset.conversation, field().value);
  fit();
  if (!field().value || Date.now() - typedAt < TYPING_EVERY) return;
  typedAt = Date.now();
  send(composer().dataset.typing).catch(() => {}); // the dots are a courtesy
});

/** Insert at the caret and go on writing. */
export function insertText(text) {
  const area = field();
  area.setRangeText(text, area.selectionStart, area.selectionEnd, 'end');
  area.focus();
  area.dispatchEvent(new Event('input', { bubbles: true }));
}

/** Empty the composer after its content was handed over. */
export function clearComposer() {
  field().value = '';
  keepDraft(openThread().dataset.conversation, '');
  unquote();
  byId('send-error').replaceChildren();
  fit();
  typedAt = 0;
}

/* Sending, in order */

const outbox = [];
let pumping = false;

document.addEventListener('submit', (event) => {
  if (event.target !== composer()) return;
  event.preventDefault();
  const text = field().value.trim();
  const detail = { text, quoted: composer().elements.quoted_id.value, quote: quoteText() };
  if (!document.dispatchEvent(new CustomEvent('chime:compose', { cancelable: true, detail }))) return; // files go by media.js
  if (!text) return;
  const client = newId();
  const body = new URLSearchParams({ type: 'text', text, client_id: client, quoted_id: detail.quoted });
  const bubble = pendingBubble({ client, text, quote: detail.quote });
  outbox.push({ conversation: openThread().dataset.conversation, url: composer().action, body, bubble, text });
  clearComposer();
  field().focus();
  pump();
});

async function pump() {
  if (pumping) return;
  pumping = true;
  while (outbox.length) {
    const [item] = outbox;
    let answer;
    try {
      answer = await send(item.url, { body: item.body });
    } catch {
      outbox.forEach(({ bubble }) => noteOn(bubble, words('waiting')));
      setTimeout(pump, RETRY_AFTER);
      break;
    }
    outbox.shift();
    await settle(item, answer);
  }
  pumping = false;
}

/** What became of one message, once the server spoke. */
async function settle(item, answer) {
  noteOn(item.bubble, '');
  if (answer.ok) await receive(answer.text, item.conversation);
  else if (answer.status < 500) await giveBack(item, answer);
  else failBubble(item.bubble, words('not_sent'), { retry: () => { outbox.push(item); pump(); } });
}

/** The server refused: the text returns to where it was written, with the reason above it. */
async function giveBack(item, answer) {
  item.bubble.remove();
  const open = openThread()?.dataset.conversation === item.conversation && field();
  const now = open ? field().value : sessionStorage.getItem(draftKey(item.conversation));
  const text = [item.text, now].filter(Boolean).join('\n');
  keepDraft(item.conversation, text);
  if (!open) {
    toast({ text: await explain(answer.status, answer.text), error: true });
    return;
  }
  field().value = text;
  fit();
  await showSendError(answer);
}

/** Show why something was not taken above the composer. */
export async function showSendError(answer) {
  if (answer.status === 422 && byId('send-error')) await swap(byId('send-error'), answer.text);
  else toast({ text: await explain(answer.status, answer.text), error: true });
}

subscribe((kind) => { if (kind === 'connected') pump(); });
addEventListener('online', pump);
addEventListener('beforeunload', (event) => { if (outbox.length) event.preventDefault(); });

// A refreshed or reopened thread does not know what still waits here.
document.addEventListener('htmx:after:swap', () => {
  for (const { conversation, bubble } of outbox) {
    if (openThread()?.dataset.conversation === conversation && !bubble.isConnected && !byId(bubble.id)) insertByTime(byId('messages'), bubble);
  }
});

document.addEventListener('keydown', (event) => {
  if (event.target !== field()) return;
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    composer().requestSubmit();
  }
  if (event.key === 'Escape' && !event.defaultPrevented) {
    if (composer().elements.quoted_id.value) unquote();
    else field().blur();
  }
});

/* Quoting */

const quoteText = () => (byId('quoting').hidden ? '' : byId('quoting').querySelector('[data-quote-text]').textContent);

function unquote() {
  composer().elements.quoted_id.value = '';
  byId('quoting').hidden = true;
}

document.addEventListener('chime:quote', ({ detail: { id, text } }) => {
  if (!composer()) return;
  composer().elements.quoted_id.value = id;
  byId('quoting').querySelector('[data-quote-text]').textContent = text;
  byId('quoting').hidden = false;
  setTimeout(() => field().focus()); // after the menu gave the focus back
});

/* Emoji: for the text or, when a message asked for it, as a reaction */

document.addEventListener('click', (event) => {
  const on = (selector) => event.target.closest(selector);
  if (on('[data-unquote]')) unquote();
  if (on('[data-emoji-for]')) {
    delete byId('emoji').dataset.for;
    byId('emoji').querySelector('.linklike').hidden = true;
  }
  const choice = on('[data-emoji]');
  if (choice) {
    const { emoji } = choice.dataset;
    const message = byId('emoji').dataset.for;
    if (message) document.dispatchEvent(new CustomEvent('chime:react', { detail: { message, emoji } }));
    else setTimeout(() => insertText(emoji));
  }
  if (on('[data-more-rows]')) {
    const form = on('form');
    form.querySelector('[data-spare-row][hidden]')?.removeAttribute('hidden');
    on('[data-more-rows]').hidden = !form.querySelector('[data-spare-row][hidden]');
  }
});

/* Files and voice notes: most visits need none, so what handles them comes when the first one does */

const withMedia = (then) => import('./media.js').then(then, () => toast({ text: words('failed_request'), error: true }));

function offerRecording() {
  const able = Boolean(navigator.mediaDevices && window.MediaRecorder);
  if (byId('record')) byId('record').hidden = !able;
  if (byId('no-voice')) byId('no-voice').hidden = able;
}

const takeFiles = (files) => {
  const list = [...files]; // before the event ends and the browser empties it
  withMedia(({ addFiles }) => addFiles(list));
};

document.addEventListener('click', (event) => {
  if (event.target.closest('[data-pick-file]')) byId('file').click();
  if (event.target.closest('#record')) withMedia(({ record }) => record());
});

document.addEventListener('change', (event) => {
  if (event.target.id !== 'file') return;
  takeFiles(event.target.files);
  event.target.value = '';
});

document.addEventListener('paste', (event) => {
  if (event.target !== field() || !event.clipboardData?.files.length) return;
  event.preventDefault();
  takeFiles(event.clipboardData.files);
});

const overThread = (event) => composer() && event.target.closest?.('#thread .talk') && event.dataTransfer?.types.includes('Files');

document.addEventListener('dragover', (event) => {
  composer()?.classList.toggle('dropping', Boolean(overThread(event)));
  if (overThread(event)) event.preventDefault();
});

document.addEventListener('drop', (event) => {
  composer()?.classList.remove('dropping');
  if (!overThread(event)) return;
  event.preventDefault();
  takeFiles(event.dataTransfer.files);
});

// The composer comes back after a closed reply window, or with another thread.
let shownField;

function composerShown() {
  if (field() === shownField) return;
  shownField = field();
  offerRecording();
  restoreDraft();
}

document.addEventListener('htmx:after:swap', composerShown);

/* Templates: the bubble shows what is typed into the blanks */

function fillBlanks(form) {
  const part = [...form.querySelectorAll('fieldset[data-template]')].find((fieldset) => !fieldset.disabled) ?? form;
  for (const shown of part.querySelectorAll('[data-fill]')) {
    const walker = document.createTreeWalker(shown, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      node.blank ??= node.nodeValue;
      node.nodeValue = node.blank.replace(/\{\{\s*(\w+)\s*\}\}/g, (blank, name) => part.querySelector(`[name="${shown.dataset.fill}.${CSS.escape(name)}"]`)?.value || blank);
    }
  }
}

document.addEventListener('input', (event) => {
  const form = event.target.closest('[data-template-form]');
  if (form) fillBlanks(form);
});

document.addEventListener('change', (event) => {
  if (!event.target.matches('[data-template-choice]')) return;
  for (const part of event.target.form.querySelectorAll('[data-template]')) {
    part.hidden = part.dataset.template !== event.target.value;
    part.disabled = part.hidden;
  }
});

composerShown();
