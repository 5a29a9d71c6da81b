/** The way to the composer: what writes is fetched with the first sign of somebody at the page, or at once for a draft.
 *
 * Promise: nothing is lost that was done before it came. What was typed stands in its field, and a press, a key or a form
 * that meant it is done again when it is here.
 */
import { byId, toast, words } from './core.js';
import { draftKey } from './thread.js';

const MEANT = '[data-emoji-for], [data-unquote], [data-pick-reply], [data-pick-file], [data-more-rows], #record';
const REST = 800;
let coming;
let isHere = false;

function withComposer(then) {
  coming ??= import('./composer.js');
  coming.then(() => { isHere = true; then?.(); }, () => {
    coming = undefined;
    addEventListener('online', () => withComposer(), { once: true });
    if (then) toast({ text: words('failed_request'), error: true });
  });
}

for (const kind of ['pointermove', 'pointerdown', 'keydown', 'focusin', 'dragenter']) {
  document.addEventListener(kind, () => { if (!coming) withComposer(); }, { capture: true, passive: true });
}

/** Have an event happen again, once there is somebody to hear it. */
function later(event, again) {
  if (isHere) return;
  event.preventDefault();
  event.stopPropagation();
  withComposer(again);
}

document.addEventListener('click', (event) => {
  const meant = event.target.closest(MEANT);
  if (meant) later(event, () => meant.click());
}, true);

document.addEventListener('submit', (event) => {
  const { target, submitter } = event;
  if (target.matches('#composer, [data-undo-send]')) later(event, () => target.requestSubmit(submitter));
}, true);

document.addEventListener('change', (event) => {
  if (event.target.id === 'file') later(event, () => event.target.dispatchEvent(new Event('change', { bubbles: true })));
}, true);

document.addEventListener('keydown', (event) => {
  const { key, target, shiftKey, isComposing } = event;
  if (key !== 'Enter' || shiftKey || isComposing || target.id !== 'text') return;
  later(event, () => target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })));
}, true);

document.addEventListener('chime:quote', (event) => {
  later(event, () => document.dispatchEvent(new CustomEvent('chime:quote', { detail: event.detail })));
}, true);

// Who has written and gone on to another conversation finds it again when they are back.
document.addEventListener('input', ({ target }) => {
  if (target.id === 'text') sessionStorage.setItem(draftKey(), target.value);
});

/** What shows before anybody writes: whether voices can be recorded here, and the draft. */
function look() {
  const able = Boolean(navigator.mediaDevices && window.MediaRecorder);
  if (byId('record')) byId('record').hidden = !able;
  if (byId('no-voice')) byId('no-voice').hidden = able;
  if (!coming && sessionStorage.getItem(draftKey())) withComposer();
}

document.addEventListener('htmx:after:swap', look);
look();

// Who else is here can wait until the page is at rest.
// In a restored copy nobody works, and nothing is taken.
if (!('copy' in document.body.dataset)) setTimeout(() => import('./presence.js').catch(() => {}), REST);
