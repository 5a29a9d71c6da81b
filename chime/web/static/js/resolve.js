/** Resolve the open conversation and open the next one of the list.
 *
 * Fetched with the first Shift+e. Where a reason is asked for, the menu is answered first; whoever leaves it without a
 * choice stays where they are.
 */
import { byId } from './core.js';

let leaving = null; // the conversation that is being resolved, and the row to go on with

const rows = () => [...document.querySelectorAll('#list .row')];

export function resolveAndGoOn() {
  const header = byId('thread-header');
  const verb = header?.querySelector('[data-key="e"]');
  if (!verb || header.dataset.state === 'closed') return;
  const all = rows();
  const here = all.findIndex((row) => row.hasAttribute('aria-current'));
  const next = all[here + 1] ?? all[here - 1];
  leaving = { id: byId('thread').dataset.conversation, next: next?.closest('li').id };
  verb.click();
  const menu = byId('resolve-menu');
  if (!menu) return;
  let chosen = false;
  menu.addEventListener('submit', () => { chosen = true; }, { once: true });
  menu.addEventListener('toggle', function closed(event) {
    if (event.newState !== 'closed') return;
    menu.removeEventListener('toggle', closed);
    if (!chosen) leaving = null;
  });
}

document.addEventListener('htmx:after:swap', () => {
  if (!leaving || byId('thread')?.dataset.conversation !== leaving.id || byId('thread-header')?.dataset.state !== 'closed') return;
  const row = leaving.next && byId(leaving.next)?.querySelector('.row');
  leaving = null;
  row?.click();
});
