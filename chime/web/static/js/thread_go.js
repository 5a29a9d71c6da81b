/** Ways through a long thread: to its end, to a message somewhere in it. Fetched with the first step that leaves what is
 * on the page.
 */
import { byId, send, swap, toast, words } from './core.js';
import { flash, gap, lineOf, moveTabStop, openThread, scrollToEnd } from './thread.js';

/** Show other messages of this conversation: the newest, or those that `asked` names (`around`, `day`). What is on its
 * way out stays. True when they are here. */
export async function showOthers(asked = {}) {
  const thread = openThread();
  const list = byId('messages');
  const waiting = () => [...list.children].filter((item) => item.dataset.client && item.id === `m-${item.dataset.client}`);
  const address = `${thread.dataset.url}/messages?${new URLSearchParams(asked)}`;
  const answer = await send(address, { method: 'GET' }).catch(() => ({ ok: false }));
  if (openThread() !== thread) return false;
  if (!answer.ok) {
    toast({ text: words('failed_request'), error: true });
    return false;
  }
  const ours = waiting();
  await swap(list, answer.text);
  list.append(...ours.filter((item) => !list.querySelector(`[data-client="${CSS.escape(item.dataset.client)}"]`)));
  const shown = list.querySelector('[data-landed]')?.dataset.landed ?? '';
  const place = new URL(location);
  if (shown) place.searchParams.set('at', shown);
  else place.searchParams.delete('at');
  place.hash = '';
  history.replaceState(history.state, '', place);
  thread.dataset.shown = shown;
  moveTabStop();
  if (shown) flash(byId(lineOf(shown)));
  else scrollToEnd();
  return true;
}

/** Leave the messages around an older one for the newest. */
export async function showEnd() {
  const door = gap();
  const next = door.nextElementSibling;
  door.remove();
  if (!await showOthers() && openThread()) byId('messages').insertBefore(door, next?.isConnected ? next : null);
}

/** Bring a line into sight, from the server when it is not on the page. `name`: `m-` or `n-` and its id. */
export async function showLine(name) {
  const line = byId(name);
  if (line) flash(line);
  else await showOthers({ around: name.startsWith('m-') ? name.slice(2) : name });
}
