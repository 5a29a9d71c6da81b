/** The emoji picker: all of them in groups, by name, the ones used last, in one's skin tone. For the reply and, when a
 * message asks for it, for a reaction. Fetched when it is first opened.
 *
 * Promises: the caret of the reply stays where it was; every emoji can be reached by keys and says its name; when the
 * list cannot be fetched, the few that the server gave are there.
 */
import { byId, send, swap } from './core.js';
import { keepTone, load, recent, search, tone, toned, used } from './emoji_data.js';
import { fetchStyle } from './styles.js';

const MOST_FOUND = 120;
const PRESS = 250;
const SHEET = '(max-width: 48rem)'; // as in emoji.css
const STEPS = { ArrowLeft: 'back', ArrowRight: 'on', ArrowUp: 'up', ArrowDown: 'down', Home: 'first', End: 'last', PageUp: 'groupUp', PageDown: 'groupDown' };

class Picker extends HTMLElement {
  connectedCallback() {
    if (this.ready) return;
    this.ready = true;
    this.field = this.querySelector('input');
    this.scroller = this.querySelector('.emoji-all');
    this.addEventListener('click', (event) => this.onClick(event));
    this.addEventListener('keydown', (event) => this.onKey(event));
    this.addEventListener('focusin', ({ target }) => this.say(target));
    this.addEventListener('mouseover', ({ target }) => this.say(target));
    this.addEventListener('beforetoggle', ({ newState }) => { this.dismissed = newState === 'closed' && !this.leaving ? performance.now() : -PRESS; });
    this.addEventListener('toggle', ({ newState }) => { if (newState === 'closed') this.closed(); });
    this.field.addEventListener('input', () => this.find());
    this.scroller.addEventListener('scroll', () => this.markGroup(), { passive: true });
  }

  /** Show it at `at`; `pick(emoji)` gets what is chosen, `close()` is told when it goes.
   * A reaction that is taken back is the empty emoji. */
  async open(at, { pick, close, isReaction = false, mayTakeBack = false }) {
    if (this.at === at && performance.now() - this.dismissed < PRESS) return; // the press on its opener has just closed it
    Object.assign(this, { at, pick, close, tone: tone() });
    this.querySelector('.linklike').hidden = !mayTakeBack;
    this.field.value = '';
    this.showTones();
    await this.fill();
    this.find();
    this.showRecent();
    this.showPopover();
    this.place(at.getBoundingClientRect());
    this.scroller.scrollTop = 0;
    this.markGroup();
    // A phone's keyboard would cover what was just opened; and a reaction is often the one before.
    if (isReaction || matchMedia('(pointer: coarse)').matches) (this.stop() ?? this.all()[0]).focus();
    else this.field.focus();
  }

  /** Beside what opened it; as a sheet on a phone, where the style says so. */
  place(at) {
    const { width, height } = this.getBoundingClientRect();
    const top = at.top - height - 6 > 4 ? at.top - height - 6 : Math.max(4, Math.min(at.bottom + 6, innerHeight - height - 4));
    const start = document.dir === 'rtl' ? at.right - width : at.left;
    this.style.setProperty('--emoji-top', `${top}px`);
    this.style.setProperty('--emoji-left', `${Math.max(4, Math.min(start, innerWidth - width - 4))}px`);
  }

  async fill() {
    if (this.groups) return;
    this.groups = await load().catch(() => null);
    if (!this.groups) return; // the few are there
    for (const { key, all } of this.groups) {
      const grid = this.section(key).querySelector('.emoji-grid');
      grid.append(...all.map((one) => this.button(one)));
      this.reserve(grid, all.length);
      this.section(key).hidden = false;
    }
    this.section('few').remove();
  }

  /** So far away a grid is not drawn, but it has its height. */
  reserve(grid, count) {
    const sheet = matchMedia(SHEET).matches;
    const row = sheet && matchMedia('(pointer: coarse)').matches ? 2.75 : 2.25; // rem, as in emoji.css
    const columns = sheet ? Math.floor((innerWidth - 16) / (row * 16)) : 9;
    grid.style.containIntrinsicBlockSize = `${Math.ceil(count / columns) * row}rem`;
  }

  section = (key) => this.querySelector(`section[data-group="${key}"]`);

  button(one) {
    const made = Object.assign(document.createElement('button'), { type: 'button', tabIndex: -1, ariaLabel: one.name, title: one.name });
    made.one = one;
    made.textContent = made.dataset.emoji = toned(one, this.tone);
    return made;
  }

  showRecent() {
    const known = new Map((this.groups ?? []).flatMap(({ all }) => all).map((one) => [one.emoji, one]));
    const last = this.groups ? recent() : [];
    const named = (emoji) => known.get(emoji) ?? known.get(emoji.replace(/[\u{1f3fb}-\u{1f3ff}]/gu, '')) ?? known.get(emoji.replace(/[\u{1f3fb}-\u{1f3ff}]/gu, '\ufe0f'));
    this.section('recent').querySelector('.emoji-grid').replaceChildren(...last.map((emoji) => this.button({ emoji, name: named(emoji)?.name ?? emoji, takesTone: false })));
    this.section('recent').hidden = !last.length || Boolean(this.field.value.trim());
    this.querySelectorAll('.emoji-groups button').forEach((button) => { button.hidden = !this.groups || (button.dataset.group === 'recent' && !last.length); });
    this.moveStop(this.all()[0]);
  }

  /* By name */

  async find() {
    const text = this.field.value.trim();
    const found = text && this.groups ? await search(text, MOST_FOUND) : [];
    if (text !== this.field.value.trim()) return;
    const searching = Boolean(text && this.groups);
    this.section('found').querySelector('.emoji-grid').replaceChildren(...found.map((one) => this.button(one)));
    this.section('found').hidden = !found.length;
    this.querySelector('.emoji-none').hidden = !searching || found.length > 0;
    (this.groups ?? []).forEach(({ key }) => { this.section(key).hidden = searching; });
    this.section('recent').hidden = searching || !recent().length || !this.groups;
    this.querySelector('.emoji-groups').classList.toggle('is-idle', searching);
    this.querySelector('[data-found]').textContent = searching ? this.dataset.count.replace('{count}', found.length) : '';
    this.moveStop(this.all()[0]);
    if (searching) this.scroller.scrollTop = 0;
  }

  /* One tab stop for all of them; keys move it */

  all = () => [...this.scroller.querySelectorAll('section:not([hidden]) button')];

  stop = () => this.scroller.querySelector('button[tabindex="0"]');

  moveStop(to) {
    this.scroller.querySelectorAll('button[tabindex="0"]').forEach((button) => { button.tabIndex = -1; });
    if (to) to.tabIndex = 0;
  }

  goTo(button) {
    if (!button) return;
    this.moveStop(button);
    button.focus();
    button.scrollIntoView({ block: 'nearest' });
  }

  onKey(event) {
    const { key, target } = event;
    if (key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      if (target === this.field && this.field.value) {
        this.field.value = '';
        this.find();
      } else this.leave();
      return;
    }
    if (target === this.field) this.onFieldKey(event);
    else if (target.closest('.emoji-groups, .emoji-tones')) this.onBarKey(event);
    else if (target.closest('.emoji-grid') && STEPS[key]) {
      event.preventDefault();
      event.stopPropagation();
      this.goTo(this.neighbour(target, STEPS[key], event.ctrlKey));
    } else if (key.length === 1 && key !== ' ' && !event.ctrlKey && !event.metaKey && !event.altKey) this.field.focus(); // and the letter goes there
  }

  onFieldKey(event) {
    if (!['ArrowDown', 'Enter'].includes(event.key) || event.isComposing) return;
    event.preventDefault();
    const [first] = this.all();
    if (event.key === 'ArrowDown') this.goTo(this.stop() ?? first);
    else if (this.field.value.trim() && first) this.choose(first, event.shiftKey);
  }

  onBarKey(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const all = [...event.target.parentElement.querySelectorAll('button:not([hidden])')];
    const way = document.dir === 'rtl' && /Left|Right/.test(event.key) ? -step : step;
    const next = all.at((all.indexOf(event.target) + way) % all.length);
    all.forEach((button) => { button.tabIndex = button === next ? 0 : -1; });
    next.focus();
    if (next.dataset.tone !== undefined) this.setTone(next.dataset.tone);
  }

  /** The emoji a key leads to. A row ends with its grid: from the last one it goes on in the next grid's first. */
  neighbour(from, step, all) {
    const grids = [...this.scroller.querySelectorAll('section:not([hidden]) .emoji-grid')];
    const grid = from.parentElement;
    const [here, place] = [[...grid.children], [...grid.children].indexOf(from)];
    const columns = getComputedStyle(grid).gridTemplateColumns.split(' ').length;
    const column = place % columns;
    const beside = (by) => grids[grids.indexOf(grid) + by]?.children;
    const flat = this.all();
    const way = document.dir === 'rtl' ? -1 : 1;
    const lastRow = (cells) => cells && (cells[Math.floor((cells.length - 1) / columns) * columns + column] ?? cells[cells.length - 1]);
    return {
      on: () => flat[flat.indexOf(from) + way],
      back: () => flat[flat.indexOf(from) - way],
      up: () => here[place - columns] ?? lastRow(beside(-1)),
      down: () => here[place + columns] ?? (place - column + columns < here.length ? here.at(-1) : beside(1)?.[column] ?? beside(1)?.[0]),
      first: () => (all ? flat[0] : here[place - column]),
      last: () => (all ? flat.at(-1) : here[Math.min(place - column + columns, here.length) - 1]),
      groupUp: () => (place ? here[0] : beside(-1)?.[0]),
      groupDown: () => beside(1)?.[0] ?? here.at(-1),
    }[step]();
  }

  /* Choosing */

  onClick({ target, shiftKey }) {
    const button = target.closest('button');
    if (!button) return;
    if (button.dataset.emoji !== undefined) this.choose(button, shiftKey);
    else if (button.dataset.tone !== undefined) this.setTone(button.dataset.tone);
    else if (button.dataset.group) this.showGroup(button.dataset.group);
  }

  /** With Shift it stays open for the next one. */
  choose(button, stay) {
    const { emoji } = button.dataset;
    if (emoji) used(emoji);
    if (!stay || !emoji) this.leave();
    this.pick(emoji);
    if (stay && emoji) button.focus();
  }

  leave() {
    this.leaving = true;
    this.hidePopover();
    this.leaving = false;
  }

  /** Whoever pressed elsewhere has the focus there. */
  closed() {
    const { activeElement: now } = document;
    if (now === document.body || now === this.at || this.contains(now)) this.close?.();
    this.close = undefined;
  }

  /* Groups, tones, the name of what one stands on */

  showGroup(key) {
    this.field.value = '';
    this.find().then(() => {
      this.section(key).scrollIntoView({ block: 'start' });
      this.moveStop(this.section(key).querySelector('.emoji-grid button'));
    });
  }

  markGroup() {
    const top = this.scroller.getBoundingClientRect().top + 8;
    const shown = [...this.scroller.querySelectorAll('section:not([hidden])')].filter((section) => section.getBoundingClientRect().top <= top).at(-1);
    this.querySelectorAll('.emoji-groups button').forEach((button) => {
      if (button.dataset.group === shown?.dataset.group) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    });
  }

  setTone(chosen) {
    keepTone(chosen);
    this.tone = chosen;
    this.showTones();
    for (const button of this.all()) if (button.one?.takesTone) button.textContent = button.dataset.emoji = toned(button.one, chosen);
  }

  showTones() {
    for (const button of this.querySelectorAll('[data-tone]')) {
      const chosen = button.dataset.tone === this.tone;
      button.setAttribute('aria-checked', String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
  }

  say(target) {
    const button = target.closest?.('.emoji-grid button');
    if (button) this.querySelector('[data-name]').textContent = button.title;
  }
}

customElements.define('c-emoji', Picker);

let fetched;

async function picker() {
  if (byId('emoji')) return byId('emoji');
  const slot = document.createElement('div');
  const [answer] = await Promise.all([send(`${document.body.dataset.base}/inbox/emoji`, { method: 'GET' }), fetchStyle('emoji'), load().catch(() => null)]);
  if (!answer.ok) throw new Error(`emoji: ${answer.status}`);
  document.body.append(slot);
  await swap(slot, answer.text);
  return byId('emoji');
}

/** Open it at an element; rejects when it cannot be had. */
export async function openPicker(at, chosen) {
  fetched ??= picker();
  fetched.catch(() => { fetched = undefined; });
  await (await fetched).open(at, chosen);
}

/** Choose a reaction to a message. */
export function react(message) {
  return openPicker(message.querySelector('[data-message-menu]'), {
    isReaction: true,
    mayTakeBack: Boolean(message.querySelector('[data-ours]')),
    pick: (emoji) => document.dispatchEvent(new CustomEvent('chime:react', { detail: { message: message.dataset.id, emoji } })),
    close: () => message.querySelector('[data-message-menu]')?.focus(),
  });
}
