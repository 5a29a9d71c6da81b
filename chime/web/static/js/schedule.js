/** Send later, undo send, and what to do when a colleague answered first. Fetched by composer.js when one of them is
 * wanted.
 *
 * Promise: what was typed stays in its field until the server has it, and comes back there when a send is undone.
 */
import { byId, explain, send, swap, toast, words } from './core.js';
import { clearComposer, insertText, quote, showSendError, sawNewest } from './composer.js';
import { openThread, receive } from './thread.js';

const field = () => byId('text');

/* Send later */

/** Schedule the text in the composer; it stays there until the server took it. */
export async function schedule(url, body) {
  const { conversation } = openThread().dataset;
  let answer;
  try {
    answer = await send(url, { body });
  } catch {
    toast({ text: words('failed_request'), error: true });
    return;
  }
  if (!answer.ok) {
    await showSendError(answer);
    return;
  }
  if (openThread()?.dataset.conversation === conversation) clearComposer();
  closeMoment();
  await receive(answer.text, conversation);
  byId('scheduled')?.lastElementChild?.scrollIntoView({ block: 'nearest' });
}

/** A day that was chosen counts once. */
function closeMoment() {
  for (const input of document.querySelectorAll('#send-menu input')) {
    if (input.type === 'checkbox') input.checked = false;
    else if (input.name === 'send_at_own') input.value = '';
  }
}

document.addEventListener('toggle', (event) => {
  // After the click that closed it has done its work.
  if (event.target.id === 'send-menu' && event.newState === 'closed') setTimeout(closeMoment, 200);
}, true);

/* Undo send */

const drafts = new Map(); // client id -> what was sent, as it was written here

/** Offer to take back what was just sent, while it waits. */
export function offerUndo(client, draft) {
  const form = document.querySelector(`#messages [data-client="${CSS.escape(client)}"] [data-undo-send]`);
  if (!form) return;
  const wait = Number(form.dataset.undoSend);
  drafts.set(client, draft);
  setTimeout(() => { drafts.delete(client); form.closest('.undo-send')?.remove(); }, wait);
  toast({ text: words('leaves_in', { seconds: Math.max(1, Math.round(wait / 1000)) }), undo: { act: () => undo(form, client), lasts: wait } });
}

/** Take a message back into the composer. */
export async function undo(form, client) {
  const { conversation } = openThread().dataset;
  const kept = drafts.has(client) ? null : keptFile(form.closest('.msg'));
  await kept?.asked;
  const answer = await send(form.action).catch(() => null);
  if (!answer?.ok) {
    toast({ text: answer ? await explain(answer.status, answer.text) : words('failed_request'), error: true });
    return;
  }
  document.querySelector(`#messages [data-client="${CSS.escape(client)}"]`)?.remove();
  const draft = drafts.get(client);
  drafts.delete(client);
  if (openThread()?.dataset.conversation !== conversation) return;
  if (!answer.text.startsWith('{')) {
    await swap(byId('dialog-slot'), answer.text);
    return;
  }
  const told = JSON.parse(answer.text);
  await giveBack({ ...told, file: await kept?.take(told), ...draft }, conversation);
}

/** What was attached in another tab comes back from the server. It is asked for before the message is gone, for with
 * the message goes the right to open its file. */
function keptFile(bubble) {
  const shown = bubble.querySelector('[src*="/media/"], a[href*="/media/"]');
  if (!shown) return null;
  const asked = fetch((shown.getAttribute('src') ?? shown.getAttribute('href')).replace(/\?.*/, '')).catch(() => null);
  const take = async ({ filename, mime_type: type }) => {
    const answer = await asked;
    const content = answer?.ok ? await answer.blob().catch(() => null) : null;
    return content && new File([content], filename || 'file', { type });
  };
  return { asked, take };
}

async function giveBack({ text, quoted, quote: words_, file, filename, voice }, conversation) {
  if (!field() || openThread()?.dataset.conversation !== conversation) return;
  field().setSelectionRange(0, 0);
  if (text) insertText(field().value ? `${text}\n` : text);
  if (quoted) quote(quoted, words_);
  const media = file && await import('./media.js');
  if (file && voice) media.keepRecording(file);
  else if (file) media.addFiles([file]);
  else if (filename) toast({ text: words('attach_again', { name: filename }), error: true });
}

/* A colleague was faster */

document.addEventListener('click', ({ target }) => {
  const box = target.closest('[data-answered]');
  if (!box) return;
  const dialog = box.closest('#dialog');
  const done = () => { if (!dialog) sawNewest(box.dataset.answered); box.remove(); };
  if (target.closest('[data-send-anyway]') && !dialog) {
    done();
    byId('composer')?.requestSubmit();
  } else if (target.closest('[data-edit-first]')) {
    if (dialog) box.closest('form').elements.seen.value = box.dataset.answered;
    done();
    (dialog ? dialog.querySelector('textarea, input:not([type=hidden])') : field())?.focus();
  } else if (target.closest('[data-drop-draft]')) {
    done();
    if (dialog) dialog.close();
    else if (field()) { clearComposer(); field().focus(); }
  }
});
