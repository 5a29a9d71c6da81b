/** The command palette: fetched with the first Ctrl+K.
 *
 * An action of the page is a control that carries a key or `data-command`, or an entry of a menu of the open
 * conversation. Choosing it presses that control, so the palette can do what the page offers and nothing else.
 */
import { byId, send, swap, toast, words } from './core.js';
import { fetchStyle } from './styles.js';

const CONTROLS = '[data-key], [data-command], #thread-header .menu .menu-item';
const PAUSE = 150;
let timer;
let asked = 0;

/** Open it, unless something else has the floor. */
export async function openPalette() {
  if (document.querySelector('dialog[open]')) return;
  const answer = await send(`${document.body.dataset.base}/palette`, { method: 'GET' }).catch(() => null);
  if (!answer?.ok) {
    toast({ text: words('failed_request'), error: true });
    return;
  }
  await fetchStyle('palette');
  const actions = actionsOfPage();
  await swap(byId('dialog-slot'), answer.text);
  offer(actions);
  filter();
}

/** What can be pressed on this page, each with its name. */
function actionsOfPage() {
  const seen = new Set();
  return [...document.querySelectorAll(CONTROLS)].flatMap((control) => {
    const name = nameOf(control);
    if (!name || seen.has(name) || control.disabled || control.hidden) return [];
    seen.add(name);
    return [{ control, name, key: control.dataset.key ?? '' }];
  });
}

/** As it is read out: without initials and signs that stand for nobody who listens. */
function spoken(control) {
  const copy = control?.cloneNode(true);
  copy?.querySelectorAll('[aria-hidden="true"]').forEach((part) => part.remove());
  const text = control?.dataset.command || control?.title || copy?.textContent || '';
  return text.replace(/\s+/g, ' ').trim().replace(/ \(\S+\)$/, '');
}

function nameOf(control) {
  const own = spoken(control);
  const menu = control.closest('.menu');
  if (!menu) return own;
  const of = spoken(document.querySelector(`[popovertarget="${menu.id}"]`));
  return of && own ? `${of}: ${own}` : own;
}

function offer(actions) {
  const group = byId('palette-actions');
  for (const { control, name, key } of actions) {
    const item = byId('tpl-palette').content.firstElementChild.cloneNode(true);
    item.querySelector('span').textContent = name;
    item.querySelector('kbd').textContent = key;
    item.querySelector('kbd').hidden = !key;
    item.addEventListener('click', () => {
      byId('dialog').close();
      setTimeout(() => control.click()); // after the focus went back
    });
    group.append(item);
  }
}

const options = () => [...byId('palette').querySelectorAll('[role="option"]')];
const inSight = () => options().filter((option) => option.checkVisibility());

/** Every typed word must be somewhere in the name. */
function filter() {
  const typed = byId('palette-typed').value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  for (const option of options()) {
    const text = option.textContent.toLocaleLowerCase();
    option.hidden = !option.closest('#palette-found') && !typed.every((word) => text.includes(word));
  }
  for (const group of byId('palette').querySelectorAll('[role="group"]')) {
    group.hidden = ![...group.querySelectorAll('[role="option"]')].some((option) => !option.hidden);
  }
  options().forEach((option, index) => { option.id = `palette-${index}`; });
  byId('palette-none').hidden = inSight().length > 0;
  select(inSight()[0]);
}

function select(option) {
  options().forEach((other) => other.setAttribute('aria-selected', String(other === option)));
  const field = byId('palette-typed');
  if (option) field.setAttribute('aria-activedescendant', option.id);
  else field.removeAttribute('aria-activedescendant');
  option?.scrollIntoView({ block: 'nearest' });
}

async function find() {
  const typed = byId('palette-typed')?.value.trim();
  if (typed === undefined) return;
  const mine = ++asked;
  const answer = typed.length < 2 ? { ok: true, text: '' }
    : await send(`${byId('palette').dataset.address}?${new URLSearchParams({ q: typed })}`, { method: 'GET' }).catch(() => null);
  if (!answer?.ok || mine !== asked || !byId('palette-found')) return;
  const chosen = inSight().find((option) => option.getAttribute('aria-selected') === 'true');
  if (answer.text) await swap(byId('palette-found'), answer.text);
  else byId('palette-found').replaceChildren();
  filter();
  if (chosen?.isConnected && chosen.checkVisibility()) select(chosen); // what comes late must not slip under Enter
}

document.addEventListener('input', ({ target }) => {
  if (target.id !== 'palette-typed') return;
  filter();
  clearTimeout(timer);
  timer = setTimeout(find, PAUSE);
});

document.addEventListener('keydown', (event) => {
  if (event.target.id !== 'palette-typed' || event.isComposing) return;
  const shown = inSight();
  const here = shown.findIndex((option) => option.getAttribute('aria-selected') === 'true');
  const place = { ArrowDown: here + 1, ArrowUp: here - 1 + shown.length, Home: event.ctrlKey ? 0 : undefined }[event.key];
  if (place !== undefined && shown.length) {
    event.preventDefault();
    select(shown[place % shown.length]);
  }
  if (event.key === 'Enter') {
    event.preventDefault();
    shown[here]?.click();
  }
});
