/** Pictures and videos of a conversation, one at a time over the whole window.
 *
 * Fetched by thread.js when somebody opens a picture. The list comes from the server, around the picture that was
 * clicked; at its end the next part is fetched. Arrows, keys and a swipe go on; zoom and turning are the stage's own
 * transform, set through the style interface, which the content policy allows. The dialog keeps the focus.
 */
import { byId, send, swap, toast, words } from './core.js';
import { fetchStyle } from './styles.js';

const LARGEST = 5;
const SWIPE = 60; // pixels a finger moves before it means the next picture

let dialog;
let place = 0;
let zoom = 1;
let turn = 0;
let shift = { x: 0, y: 0 };
let finger = null;

const files = () => [...dialog.querySelectorAll('[data-viewer-file]')];
const stage = () => dialog.querySelector('[data-viewer-stage]');
const backwards = () => document.documentElement.dir === 'rtl';

/** Open the viewer at a picture of the thread or of the panel. */
export async function view(picture) {
  const styled = fetchStyle('viewer');
  make();
  const opened = await fetchAround(picture.dataset.gallery);
  await styled;
  if (!opened) {
    toast({ text: words('failed_request'), error: true });
    return;
  }
  dialog.showModal();
  show(files().findIndex((file) => 'begin' in file.dataset));
  byId('viewer-title').focus();
}

function make() {
  if (dialog?.isConnected) return;
  dialog = document.createElement('dialog');
  dialog.className = 'viewer';
  dialog.setAttribute('aria-labelledby', 'viewer-title');
  document.body.append(dialog);
  dialog.addEventListener('close', () => dialog.replaceChildren()); // a video must not go on
  dialog.addEventListener('keydown', onKey);
  dialog.addEventListener('click', onClick);
  dialog.addEventListener('pointerdown', (event) => { finger = stage()?.contains(event.target) && !event.target.closest('video') ? { x: event.clientX, y: event.clientY, from: { ...shift } } : null; });
  dialog.addEventListener('pointermove', drag);
  dialog.addEventListener('pointerup', drop);
  dialog.addEventListener('pointercancel', () => { finger = null; });
}

async function fetchAround(address) {
  const answer = await send(address, { method: 'GET' }).catch(() => ({ ok: false }));
  if (!answer.ok) return false;
  await swap(dialog, answer.text);
  dialog.dataset.gallery = address;
  return true;
}

function show(index) {
  const all = files();
  place = Math.min(Math.max(index, 0), all.length - 1);
  const { kind, src, who, when, at } = all[place].dataset;
  [zoom, turn, shift] = [1, 0, { x: 0, y: 0 }];
  const element = document.createElement(kind === 'video' ? 'video' : 'img');
  element.src = src;
  element.draggable = false;
  const name = stage().dataset[kind === 'video' ? 'video' : 'picture'].replace('{who}', who).replace('{when}', when);
  if (kind === 'video') {
    Object.assign(element, { controls: true, playsInline: true, preload: 'metadata' });
    element.setAttribute('aria-label', name);
  } else element.alt = name;
  stage().replaceChildren(element);
  dialog.querySelector('[data-viewer-who]').textContent = who;
  Object.assign(dialog.querySelector('[data-viewer-when]'), { textContent: when, dateTime: at });
  dialog.querySelector('[data-viewer-save]').href = `${src}?download=1`;
  const caption = dialog.querySelector('[data-viewer-caption]');
  caption.replaceChildren(...all[place].cloneNode(true).childNodes); // with its bold and italic words
  caption.hidden = !caption.textContent;
  for (const button of dialog.querySelectorAll('[data-viewer-zoom], [data-viewer-turn]')) button.hidden = kind === 'video';
  tellPlace();
  lay();
}

function tellPlace() {
  const { length } = files();
  const count = dialog.querySelector('[data-viewer-count]');
  count.textContent = count.dataset.of.replace('{place}', String(place + 1)).replace('{count}', String(length));
  for (const button of dialog.querySelectorAll('[data-viewer-go]')) {
    const next = place + Number(button.dataset.viewerGo);
    button.hidden = next < 0 || next >= length;
  }
}

/** The next one; past the last one known, the server is asked for what lies beyond. */
async function go(by) {
  const all = files();
  const next = place + by;
  if (next < 0 || next >= all.length) return;
  show(next);
  if (place !== 0 && place !== all.length - 1) return;
  const { viewerFile } = all[place].dataset;
  const around = new URL(dialog.dataset.gallery, location).pathname.replace(/[^/]+$/, viewerFile);
  const answer = await send(around, { method: 'GET' }).catch(() => ({ ok: false }));
  if (!answer.ok || !dialog.open || files()[place]?.dataset.viewerFile !== viewerFile) return;
  const scratch = document.createElement('div');
  scratch.hidden = true;
  await swap(scratch, answer.text);
  dialog.querySelector('ol').replaceWith(scratch.querySelector('ol'));
  dialog.dataset.gallery = around;
  place = files().findIndex((file) => file.dataset.viewerFile === viewerFile);
  tellPlace();
}

function lay() {
  const picture = stage().firstElementChild;
  picture.style.transform = `translate(${shift.x}px, ${shift.y}px) scale(${zoom}) rotate(${turn}deg)`;
  stage().classList.toggle('viewer-zoomed', zoom > 1);
}

function enlarge(by) {
  zoom = Math.min(Math.max(zoom * (by > 0 ? 1.5 : 1 / 1.5), 1), LARGEST);
  if (zoom === 1) shift = { x: 0, y: 0 };
  lay();
}

function drag(event) {
  if (!finger || zoom === 1) return;
  shift = { x: finger.from.x + event.clientX - finger.x, y: finger.from.y + event.clientY - finger.y };
  lay();
}

function drop(event) {
  if (!finger) return;
  const moved = event.clientX - finger.x;
  finger = null;
  if (zoom > 1 || Math.abs(moved) < SWIPE) return;
  go((moved < 0) === backwards() ? -1 : 1);
}

function onKey(event) {
  if (event.target.matches('video')) return;
  const isPicture = stage().querySelector('img');
  const act = {
    ArrowLeft: () => go(backwards() ? 1 : -1), ArrowRight: () => go(backwards() ? -1 : 1),
    Home: () => show(0), End: () => show(files().length - 1),
    '+': () => isPicture && enlarge(1), '=': () => isPicture && enlarge(1), '-': () => isPicture && enlarge(-1),
    r: () => isPicture && rotate(),
  }[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

function rotate() {
  turn = (turn + 90) % 360;
  lay();
}

function onClick(event) {
  const on = (selector) => event.target.closest(selector);
  if (on('[data-viewer-close]')) dialog.close();
  if (on('[data-viewer-zoom]')) enlarge(Number(on('[data-viewer-zoom]').dataset.viewerZoom));
  if (on('[data-viewer-turn]')) rotate();
  if (on('[data-viewer-go]')) go(Number(on('[data-viewer-go]').dataset.viewerGo));
}
