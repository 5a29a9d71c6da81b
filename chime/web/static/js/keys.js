/** Keyboard shortcuts. Single keys act only while nothing that takes keys has the focus (WCAG 2.1.4).
 *
 * Fetched by core.js with the first key pressed. Most keys press the control that carries them as `data-key`, so a key can never do what the page does not offer; the
 * rest walk the list.
 */
import { byId } from './core.js';

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
  a: () => press('[data-key="a"]'),
  i: () => byId('assign-menu')?.querySelector('[data-me]')?.click(),
  '[': () => press('[data-key="["]'),
  '/': () => byId('search')?.focus(),
  '?': () => byId('keys-sheet').showModal(),
};

const go = { i: () => document.querySelector('.rail-item[href]').click() };

let waitingForPlace = 0; // when `g` was pressed

/** A link of the list counts as no control: j and k stand on them. What a closing menu hides still has the focus for a frame. */
function typesElsewhere(target) {
  if (target.matches('#list .row') || !target.checkVisibility()) return false;
  return target.matches('input, select, textarea, button, a, summary, audio, video, [contenteditable]') || Boolean(target.closest('dialog, .menu'));
}

/** Do what a key asks for, if it asks for anything here. */
export function onKey(event) {
  if (event.altKey && !event.ctrlKey && !event.metaKey && ['ArrowUp', 'ArrowDown'].includes(event.key)) {
    event.preventDefault();
    openNeighbour(event.key === 'ArrowUp' ? -1 : 1);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === 'Escape' && event.target.matches('#search')) {
    press('[data-clear-search]'); // the browser empties the field only
    event.target.blur();
  }
  if (typesElsewhere(event.target) || document.querySelector('dialog[open]')) return;
  const second = Date.now() - waitingForPlace < 1500;
  waitingForPlace = event.key === 'g' ? Date.now() : 0;
  const handler = second ? go[event.key] : act[event.key];
  if (!handler) return;
  event.preventDefault();
  handler();
}
