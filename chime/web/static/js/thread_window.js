/** So many lines of a thread stand on the page at most: the end that is farther from the reader is dropped.
 *
 * Fetched by thread.js when there are too many. Where lines were dropped a door is put that brings them back, named by
 * the message it stands beside. The reader's place does not move, and nothing that is still on its way out is dropped.
 */
import { byId, htmx } from './core.js';

const isMessage = (item) => item.id.startsWith('m-');
const isPending = (item) => item.dataset.client && item.id === `m-${item.dataset.client}`;

/** Leave `most` lines. */
export function trim(most) {
  const list = byId('messages');
  const scroller = byId('scroller');
  const lines = [...list.children].filter((item) => item.dataset.at && !isPending(item));
  const extra = list.children.length - most;
  if (extra <= 0 || !lines.some(isMessage)) return;
  const inSight = lines.find((item) => item.getBoundingClientRect().bottom > scroller.getBoundingClientRect().top);
  // The scroller is reversed: 0 is its end, up is negative.
  const nearEnd = -scroller.scrollTop < (scroller.scrollHeight - scroller.clientHeight) / 2;
  const top = inSight?.getBoundingClientRect().top;
  if (nearEnd) dropOldest(list, lines, extra);
  else dropNewest(list, lines, extra);
  if (inSight?.isConnected) scroller.scrollTop += inSight.getBoundingClientRect().top - top;
}

function dropOldest(list, lines, extra) {
  const first = lines.slice(extra).find(isMessage);
  if (!first) return;
  while (list.firstElementChild !== first) list.firstElementChild.remove();
  list.prepend(door('older', 'before', first));
}

function dropNewest(list, lines, extra) {
  const last = lines.slice(0, -extra).findLast(isMessage);
  if (!last) return;
  while (last.nextElementSibling && !isPending(last.nextElementSibling)) last.nextElementSibling.remove();
  last.after(door('newer', 'after', last));
  byId('jump').hidden = false;
}

/** What brings the dropped lines back when it comes into sight. */
function door(id, side, message) {
  const item = byId(`tpl-${id}`).content.firstElementChild.cloneNode(true);
  item.setAttribute('hx-get', `${byId('thread').dataset.url}/messages?${side}=${message.id}`);
  queueMicrotask(() => htmx.process(item));
  return item;
}
