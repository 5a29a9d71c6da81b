/** Writing, fetched by write.js: drafts, sending with a bubble shown at once, quoting, emoji, typing notes, and the dialogs that compose.
 *
 * Promises: what was typed is never lost (it stays in the field, the draft or the bubble), messages leave in the order
 * they were written, and a repeat carries the same `client_id`, so it cannot be sent twice.
 */
import { failBubble, noteOn, pendingBubble } from './bubbles.js';
import { byId, explain, newId, send, swap, toast, words } from './core.js';
import { subscribe } from './live.js';
import { fetchStyle } from './styles.js';
import { draftKey, insertByTime, openThread, receive } from './thread.js';

const TYPING_EVERY = 20_000; // WhatsApp shows the dots for 25 s
const RETRY_AFTER = 3_000;
const LONGEST = 4_096; // characters of one message

fetchStyle('compose');

const composer = () => byId('composer');
const field = () => byId('text');

/* Drafts, one for each conversation, for as long as the tab lives and its person is signed in (see leave.js). What is
 * typed into the field write.js keeps. */

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

/** How much of a message's room is used, once that is a question. What is too much stays: it can be cut or sent in parts. */
function tellRoom() {
  const used = field()?.value.length > LONGEST - 400 ? [...field().value.trim()].length : 0;
  if (!used) {
    byId('room')?.remove();
    return;
  }
  if (!byId('room')) byId('writing').after(Object.assign(document.createElement('p'), { id: 'room', className: 'composer-room num' }));
  const number = new Intl.NumberFormat(document.documentElement.lang);
  byId('room').textContent = `${number.format(used)} / ${number.format(LONGEST)}`;
  byId('room').classList.toggle('over', used > LONGEST);
}

/** Browsers without `field-sizing` grow the field by hand. */
function fit() {
  tellRoom();
  if (CSS.supports('field-sizing', 'content') || !field()) return;
  field().style.height = 'auto';
  field().style.height = `${field().scrollHeight + 2}px`;
}

/* What was on the screen when the writing began: a colleague's reply after that is shown before ours leaves */

let seen = '';
const newest = () => (byId('newer') ? '' : [...document.querySelectorAll('#messages > .msg[data-id]')].at(-1)?.dataset.id) || composer().elements.seen.value;

/** This message, at least, was read before what is written now leaves. */
export function sawNewest(id) {
  seen = id;
}

export const lastSeen = () => seen || newest();

let typedAt = 0;

document.addEventListener('input', (event) => {
  if (event.target !== field()) return;
  if (!field().value) seen = '';
  else seen ||= newest();
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
  seen = '';
  keepDraft(openThread().dataset.conversation, '');
  unquote();
  byId('send-error').replaceChildren();
  fit();
  typedAt = 0;
}

/* Send later and undo send: what does them comes when one of them is wanted */

const withSchedule = (then) => import('./schedule.js').then(then, () => toast({ text: words('failed_request'), error: true }));

/** When a message shall leave, if not now. A day that is filled in counts whatever was pressed. */
function momentOf(submitter) {
  const { send_at_own: own, sends_anyway: anyway } = composer().elements;
  const named = submitter?.name === 'send_at' ? submitter.value : '';
  if (submitter?.name === 'send_at' && !named && !own.value) own.focus();
  if (!named && !own?.value) return null;
  return { send_at: named, send_at_own: named ? '' : own.value, ...(anyway.checked && { sends_anyway: '1' }) };
}

/** Offer to take back what waits for that; `draft` is what goes back into the composer. */
export function undoable(client, draft) {
  if (document.querySelector(`#messages [data-client="${CSS.escape(client)}"] [data-undo-send]`)) withSchedule(({ offerUndo }) => offerUndo(client, draft));
}

document.addEventListener('submit', (event) => {
  if (!event.target.matches('[data-undo-send]')) return;
  event.preventDefault();
  withSchedule(({ undo }) => undo(event.target, event.target.closest('.msg').dataset.client));
});

/* Sending, in order */

const outbox = [];
let pumping = false;

document.addEventListener('submit', (event) => {
  if (event.target !== composer()) return;
  event.preventDefault();
  if (filesComing) {
    filesComing.then(() => event.target.isConnected && event.target.requestSubmit(event.submitter));
    return;
  }
  const text = field().value.trim();
  const detail = { text, quoted: composer().elements.quoted_id.value, quote: quoteText(), seen: lastSeen(), moment: momentOf(event.submitter) };
  if (!document.dispatchEvent(new CustomEvent('chime:compose', { cancelable: true, detail }))) return; // files go by media.js
  if (!text) return;
  const client = newId();
  const body = new URLSearchParams({ type: 'text', text, client_id: client, quoted_id: detail.quoted, seen: detail.seen, ...detail.moment });
  if (detail.moment) {
    withSchedule(({ schedule }) => schedule(composer().action, body));
    return;
  }
  const bubble = pendingBubble({ client, text, quote: detail.quote });
  const item = { conversation: openThread().dataset.conversation, url: composer().action, body, bubble, text, client, quoted: detail.quoted, quote: detail.quote };
  detail.after?.(new Promise((done) => { item.done = done; })); // files that wait for this text
  outbox.push(item);
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
  item.done?.(answer.ok);
  if (answer.ok) {
    await receive(answer.text, item.conversation);
    undoable(item.client, { text: item.text, quoted: item.quoted, quote: item.quote });
  } else if (answer.status < 500) await giveBack(item, answer);
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
  const answered = answer.text.includes('data-answered');
  if (answered) withSchedule(() => {});
  if ((answer.status === 422 || answered) && byId('send-error')) await swap(byId('send-error'), answer.text);
  else toast({ text: await explain(answer.status, answer.text), error: true });
}

subscribe((kind) => { if (kind === 'connected') pump(); });
addEventListener('online', pump);
addEventListener('beforeunload', (event) => { if (outbox.length) event.preventDefault(); });

// A refreshed or reopened thread does not know what still waits here.
document.addEventListener('htmx:after:swap', () => {
  for (const { conversation, bubble, client } of outbox) {
    const isShown = bubble.isConnected || document.querySelector(`#messages [data-client="${CSS.escape(client)}"]`);
    if (openThread()?.dataset.conversation === conversation && !isShown) insertByTime(byId('messages'), bubble);
  }
});

document.addEventListener('keydown', (event) => {
  if (event.target !== field()) return;
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && replies && !repliesLoaded && /(^|\s)\/\S*$/.test(event.target.value)) {
    event.preventDefault(); // what finds quick replies is on its way: a shortcut must not leave as words
    const { target } = event;
    withReplies(() => target.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true })));
    return;
  }
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

/** Answer this message with what is written next. */
export function quote(id, text) {
  composer().elements.quoted_id.value = id;
  byId('quoting').querySelector('[data-quote-text]').textContent = text;
  byId('quoting').hidden = false;
}

document.addEventListener('chime:quote', ({ detail: { id, text } }) => {
  if (!composer()) return;
  quote(id, text);
  setTimeout(() => field().focus()); // after the menu gave the focus back
});

/* Emoji: what picks them, and what offers them after a colon, comes with the first one */

document.addEventListener('input', ({ target }) => {
  if (target === field() && target.value.includes(':')) import('./emoji_typed.js').then(({ look }) => look(), () => {});
});

document.addEventListener('click', (event) => {
  const on = (selector) => event.target.closest(selector);
  if (on('[data-unquote]')) unquote();
  const opener = on('[data-emoji-for]');
  if (opener) {
    import('./emoji.js').then(({ openPicker }) => openPicker(opener, { pick: insertText, close: () => field()?.focus() }))
      .catch(() => toast({ text: words('failed_request'), error: true }));
  }
  if (on('[data-more-rows]')) {
    const form = on('form');
    form.querySelector('[data-spare-row][hidden]')?.removeAttribute('hidden');
    on('[data-more-rows]').hidden = !form.querySelector('[data-spare-row][hidden]');
  }
});

/* Files and voice notes: most visits need none, so what handles them comes when the first one does */

const withMedia = (then) => import('./media.js').then(then, () => toast({ text: words('failed_request'), error: true }));

let filesComing; // what takes them is on its way: what is sent meanwhile waits, or it would leave without them

const takeFiles = (files) => {
  const list = [...files]; // before the event ends and the browser empties it
  const coming = withMedia(({ addFiles }) => addFiles(list)).finally(() => { if (filesComing === coming) filesComing = undefined; });
  filesComing = coming;
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

/* Quick replies: what finds and inserts them comes when somebody begins to write */

let replies;
let repliesLoaded = false;

function withReplies(then) {
  replies ??= import('./replies.js');
  replies.then((module) => { repliesLoaded = true; then(module); }, () => { replies = undefined; });
}

document.addEventListener('focusin', (event) => { if (event.target === field()) withReplies(({ look }) => look()); });
document.addEventListener('input', (event) => { if (event.target === field()) withReplies(({ look }) => look()); });
document.addEventListener('click', (event) => { if (event.target.closest('[data-pick-reply]')) withReplies(({ begin }) => begin()); });

// The composer comes back after a closed reply window, or with another thread.
let shownField;

function composerShown() {
  if (field() === shownField) return;
  shownField = field();
  seen = '';
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

// What was typed before this came.
if (field() && document.activeElement === field()) {
  if (field().value) field().dispatchEvent(new Event('input', { bubbles: true }));
  else withReplies(({ look }) => look());
}
