/** A colon and some letters in the reply offer emoji: `:smi`. Arrows choose, Enter or Tab takes, Esc leaves.
 *
 * Fetched by composer.js with the first colon. Promises: a time or an address is no such colon, and what was typed stays
 * until something is taken.
 */
import { byId } from './core.js';
import { insertText } from './composer.js';
import { search, toned, used } from './emoji_data.js';
import { fetchStyle } from './styles.js';

const MOST = 8;
const field = () => byId('text');
const box = () => byId('emoji-offers');
const options = () => [...box()?.children ?? []];
const chosen = () => box()?.querySelector('[aria-selected="true"]');

let dismissed = -1; // where the colon stands whose list was closed with Esc
let asked = 0;

/** The colon before the caret and at least two letters after it, if no word and no number leads into it. */
function colon() {
  const area = field();
  if (!area || area.selectionStart !== area.selectionEnd) return null;
  const found = /(?:^|[^\p{L}\p{N}:/]):([\p{L}\p{M}\p{N}_+-]{2,30})$/u.exec(area.value.slice(0, area.selectionStart));
  return found && { letters: found[1], start: area.selectionStart - found[1].length - 1, end: area.selectionStart };
}

/** Look at what is written now. */
export async function look() {
  const number = ++asked;
  const found = colon();
  if (!found) dismissed = -1;
  if (!found || found.start === dismissed) {
    close();
    return;
  }
  const [emoji] = await Promise.all([search(found.letters, MOST).catch(() => []), fetchStyle('emoji')]);
  if (number === asked) show(emoji);
}

function show(found) {
  close();
  if (!found.length || !byId('composer')) return;
  const list = Object.assign(document.createElement('ul'), { id: 'emoji-offers', className: 'emoji-offers', role: 'listbox', ariaLabel: document.querySelector('[data-emoji-for]').title });
  list.append(...found.map((one, place) => {
    const option = Object.assign(document.createElement('li'), { id: `emoji-offer-${place}`, role: 'option' });
    option.dataset.offered = toned(one);
    const sign = Object.assign(document.createElement('span'), { className: 'emoji-sign', textContent: toned(one), ariaHidden: 'true' });
    option.append(sign, Object.assign(document.createElement('span'), { className: 'cut', textContent: one.name }));
    return option;
  }));
  byId('writing').before(list);
  field().setAttribute('aria-controls', list.id);
  choose(list.firstElementChild);
}

function choose(option) {
  options().forEach((one) => one.setAttribute('aria-selected', String(one === option)));
  field().setAttribute('aria-activedescendant', option.id);
  option.scrollIntoView({ block: 'nearest' });
}

function close() {
  if (!box()) return;
  box().remove();
  field()?.removeAttribute('aria-activedescendant');
  field()?.removeAttribute('aria-controls');
}

function take(option) {
  const place = colon();
  const emoji = option.dataset.offered;
  close();
  if (!place) return;
  used(emoji);
  field().setSelectionRange(place.start, place.end);
  insertText(`${emoji} `);
}

function onKey({ key, shiftKey, ctrlKey, metaKey, altKey }) {
  if (!box() || shiftKey || ctrlKey || metaKey || altKey) return false;
  const step = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (step) choose(options().at((options().indexOf(chosen()) + step) % options().length));
  else if (key === 'Enter' || key === 'Tab') take(chosen());
  else if (key === 'Escape') {
    dismissed = colon()?.start ?? -1;
    close();
  } else return false;
  return true;
}

document.addEventListener('input', ({ target }) => { if (target === field()) look(); });

document.addEventListener('keydown', (event) => {
  if (event.target !== field() || event.isComposing || !onKey(event)) return;
  event.preventDefault();
  event.stopPropagation();
}, true);

// The field keeps the focus, so a phone's keyboard stays.
document.addEventListener('pointerdown', (event) => { if (event.target.closest('#emoji-offers')) event.preventDefault(); });
document.addEventListener('mousedown', (event) => { if (event.target.closest('#emoji-offers')) event.preventDefault(); });
document.addEventListener('click', ({ target }) => {
  const option = target.closest('[data-offered]');
  if (option) take(option);
  else if (box() && target !== field()) close();
});
document.addEventListener('focusout', ({ target }) => { if (target === field()) setTimeout(() => { if (document.activeElement !== field()) close(); }); });
document.addEventListener('submit', () => { asked += 1; close(); }, true);
document.addEventListener('chime:thread', close);
