/** What is done with one message: copy, pin, react; and its plain forms (retry, discard, notes), sent without
 * leaving the page. Fetched by inbox.js with the first of them.
 */
import { confirmed, explain, htmx, send, toast, words } from './core.js';
import { copy } from './copy.js';
import { openThread, receive, textOf } from './thread.js';

const AFTER_MENU = 20; // ms; closing the menu of actions would close what opens before that

/** Do what an entry of the menu says. */
export function act(deed, message) {
  if (deed === 'copy') copy(textOf(message));
  if (deed === 'pin') htmx.ajax('POST', `${openThread().dataset.url}/messages/${message.dataset.id}/pin`, { target: '#thread-header', swap: 'outerMorph', values: { toggle: 1 } });
  if (deed === 'react') setTimeout(() => import('./emoji.js').then(({ react }) => react(message)).catch(() => toast({ text: words('failed_request'), error: true })), AFTER_MENU);
}

document.addEventListener('chime:react', ({ detail: { message, emoji } }) => {
  post(`${openThread().dataset.url}/messages/${message}/reaction`, new URLSearchParams({ emoji }));
});

/** Send a form of a message with what was in it; `refetch(thread, ids)` shows how a message stands by now. */
export async function sendForm(form, body, refetch) {
  const { confirm, confirmTitle, confirmVerb } = form.dataset;
  if (confirm && !await confirmed(confirmTitle, confirm, confirmVerb)) return;
  post(form.action, body, { message: form.closest('.msg'), form, refetch });
}

async function post(url, body, { message, form, refetch } = {}) {
  const { conversation } = openThread().dataset;
  try {
    const answer = await send(url, { body });
    if (!answer.ok) {
      toast({ text: await explain(answer.status, answer.text), error: true });
      if (answer.status === 409 && message) await refetch(openThread(), [message.dataset.id]);
    } else {
      form?.dispatchEvent(new CustomEvent('chime:posted', { bubbles: true }));
      if (answer.text.trim()) await receive(answer.text, conversation);
      else message?.remove();
    }
  } catch {
    toast({ text: words('failed_request'), error: true });
  }
}
