/** Keyboard shortcuts. Single keys act only while nothing that takes keys has the focus (WCAG 2.1.4).
 *
 * Fetched by core.js with the first key pressed. Most keys press the control that carries them as `data-key`, so a key can never do what the page does not offer; the
 * rest walk the list.
 */
import { byId, send, swap, toast, words } from './core.js';
import { fetchStyle } from './styles.js';

const rows = () => [...document.querySelectorAll('#list .row')];

function walk(step) {
  const all = rows();
  const here = all.findIndex((row) => row === document.activeElement);
  const from = here >= 0 ? here : all.findIndex((row) => row.hasAttribute('aria-current'));
  const next = all[Math.min(Math.max(from + step, 0), all.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

function openNeighbour(step) {
  const all = rows();
  const next = all[all.findIndex((row) => row.hasAttribute('aria-current')) + step];
  next?.scrollIntoView({ block: 'nearest' });
  next?.click();
}

/** Of the row one stands on, else of the conversation that is open. */
function list(what) {
  const row = rows().find((one) => one === document.activeElement || one.parentElement.contains(document.activeElement)) ?? rows().find((one) => one.hasAttribute('aria-current'));
  if (byId('list')) document.dispatchEvent(new CustomEvent('chime:list', { detail: { what, row } }));
}

/** Without focusing it: a control with the focus would keep the next key from being a shortcut. */
function press(selector) {
  document.querySelector(selector)?.click();
}

const act = {
  j: () => walk(1),
  k: () => walk(-1),
  o: () => (rows().find((row) => row === document.activeElement) ?? rows()[0])?.click(),
  u: () => press('[data-back]'),
  r: () => byId('text')?.focus(),
  t: () => press('[data-key="t"]'),
  e: () => press('[data-key="e"]'),
  E: () => import('./resolve.js').then(({ resolveAndGoOn }) => resolveAndGoOn(), () => toast({ text: words('failed_request'), error: true })),
  a: () => press('[data-key="a"]'),
  s: () => press('[data-key="s"]'),
  n: () => press('[data-key="n"]'),
  i: () => byId('assign-menu')?.querySelector('[data-me]')?.click(),
  m: () => press('[data-key="m"]'),
  f: () => press('[data-key="f"]'),
  l: () => (document.querySelector('.selecting') ? list('l') : press('[data-key="l"]')),
  x: () => list('x'),
  X: () => list('X'),
  '*': () => list('*'),
  z: () => [...document.querySelectorAll('#bulk-progress [data-undo], #toasts [data-undo]:not([hidden])')].at(-1)?.click(),
  '[': () => press('[data-key="["]'),
  '/': () => byId('search')?.focus(),
  '?': () => openSheet(),
};

/** Show what all of these are; fetched once. */
export async function openSheet() {
  if (!byId('keys-sheet')) {
    const slot = document.createElement('div');
    const [answer] = await Promise.all([send(`${document.body.dataset.base}/keys`, { method: 'GET' }).catch(() => ({})), fetchStyle('keys')]);
    if (!answer.ok) {
      toast({ text: words('failed_request'), error: true });
      return;
    }
    document.body.append(slot);
    await swap(slot, answer.text);
  }
  if (!byId('keys-sheet').open) byId('keys-sheet').showModal();
}

const go = {
  i: () => document.querySelector('.rail-item[href]').click(),
  d: () => press('[data-find="day"]'),
  f: () => press('[data-place="floor"]'),
};

let waitingForPlace = 0; // when `g` was pressed

/** These act on the open conversation: while another is on its way the first of them waits for it, and what is typed
 * after it is nobody's, so that no letter of a reply resolves or assigns the conversation that is still in sight. */
const OF_CONVERSATION = 'rnteEasilm[';
const MOST_WAITED = 15_000;
let held;

const isOpening = () => Date.now() - (byId('inbox')?.dataset.opening ?? 0) < MOST_WAITED;

function hold(handler) {
  if (!held) setTimeout(goOn, 40);
  held ??= handler;
}

function goOn() {
  if (isOpening()) {
    setTimeout(goOn, 40);
    return;
  }
  const handler = held;
  held = undefined;
  handler();
}

/** A link of the list counts as no control: j and k stand on them. What a closing menu hides still has the focus for a frame. */
function typesElsewhere(target) {
  if (target.matches('#list .row, .pick-box') || !target.checkVisibility()) return false;
  return target.matches('input, select, textarea, button, a, summary, audio, video, [contenteditable]') || Boolean(target.closest('dialog, .menu'));
}

/** Escape leaves a field, a button or a link, so that single keys are shortcuts again; Tab goes on from there. What uses
 * the key itself (a menu, a dialog, a list of offers) says so first. */
function leave({ target, defaultPrevented }) {
  if (!defaultPrevented && !target.closest('dialog, .menu, #finder, #list .row') && !document.querySelector('.menu:popover-open')
    && typesElsewhere(target)) target.blur();
}

/** Do what a key asks for, if it asks for anything here. */
export function onKey(event) {
  if (event.altKey && !event.ctrlKey && !event.metaKey && ['ArrowUp', 'ArrowDown'].includes(event.key)) {
    event.preventDefault();
    openNeighbour(event.key === 'ArrowUp' ? -1 : 1);
    return;
  }
  if ((event.ctrlKey || event.metaKey) && event.key === 'k' && !event.altKey) {
    event.preventDefault();
    import('./palette.js').then(({ openPalette }) => openPalette(), () => toast({ text: words('failed_request'), error: true }));
    return;
  }
  // Inside a conversation the browser's own search would miss what is not on the page; pressed twice it is the browser's.
  if ((event.ctrlKey || event.metaKey) && event.key === 'f' && !event.altKey && event.target.closest('#content') && !event.target.closest('#finder')) {
    event.preventDefault();
    press('[data-find=""]');
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === 'ArrowDown' && event.target.matches('#search')) {
    event.preventDefault();
    rows()[0]?.focus(); // to what was found
    return;
  }
  if (event.key === 'Escape' && event.target.matches('#search')) {
    press('[data-clear-search]'); // the browser empties the field only
    event.target.blur();
  }
  if (event.key === 'Escape') leave(event);
  // The focus may have come to a field after the key was pressed: the first ones wait until this file is here.
  const field = document.activeElement !== event.target && document.activeElement.matches('input, textarea');
  if (typesElsewhere(event.target) || field || document.querySelector('dialog[open]')) return;
  const second = Date.now() - waitingForPlace < 1500;
  waitingForPlace = event.key === 'g' ? Date.now() : 0;
  const handler = second ? go[event.key] : act[event.key];
  if (!handler) return;
  event.preventDefault();
  if (isOpening() && (held || OF_CONVERSATION.includes(event.key))) hold(handler);
  else handler();
}
