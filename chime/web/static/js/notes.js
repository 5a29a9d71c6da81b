/** Writing private notes: `@` offers names, and a note that was added leaves an empty box behind. Fetched by inbox.js when
 * the box is first opened. */
import { byId, newId } from './core.js';

const CALL = /(?:^|[\s(])@([^\s@]*)$/; // what is typed after an @, up to the caret

const options = () => [...byId('note-names').children];
const shown = () => options().filter((option) => !option.hidden);
const chosen = () => shown().find((option) => option.getAttribute('aria-selected') === 'true');

function choose(option) {
  for (const other of options()) other.setAttribute('aria-selected', String(other === option));
  if (option) byId('note-text').setAttribute('aria-activedescendant', option.id);
  else byId('note-text').removeAttribute('aria-activedescendant');
  option?.scrollIntoView({ block: 'nearest' });
}

function offer() {
  const field = byId('note-text');
  const [, typed] = CALL.exec(field.value.slice(0, field.selectionStart)) ?? [];
  for (const option of options()) {
    option.hidden = typed === undefined || !option.textContent.toLowerCase().split(/\s+/).concat(option.textContent.toLowerCase()).some((word) => word.startsWith(typed.toLowerCase()));
  }
  const found = shown();
  byId('note-names').hidden = !found.length;
  choose(found[0]);
}

function insert(option) {
  const field = byId('note-text');
  const before = field.value.slice(0, field.selectionStart);
  const start = before.lastIndexOf('@');
  field.setRangeText(`@${option.textContent} `, start, field.selectionStart, 'end');
  offer();
  field.focus();
}

document.addEventListener('input', ({ target }) => {
  if (target.id === 'note-text') offer();
});

document.addEventListener('keydown', (event) => {
  if (event.target.id !== 'note-text' || event.isComposing) return;
  const found = shown();
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (found.length && step) {
    event.preventDefault();
    choose(found[(found.indexOf(chosen()) + step + found.length) % found.length]);
  } else if (found.length && ['Enter', 'Tab'].includes(event.key) && chosen()) {
    event.preventDefault();
    insert(chosen());
  } else if (event.key === 'Escape') {
    event.preventDefault();
    if (found.length) {
      for (const option of found) option.hidden = true;
      byId('note-names').hidden = true;
    } else {
      byId('note-box').open = false;
      byId('note-box').querySelector('summary').focus();
    }
  } else if (event.key === 'Enter' && !event.shiftKey) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
});

document.addEventListener('click', ({ target }) => {
  const option = target.closest('#note-names [role="option"]');
  if (option) insert(option);
});

// Before inbox.js reads the form: the same press twice is one note.
document.addEventListener('submit', ({ target }) => {
  if (target.id === 'note-form' && !target.elements.client_id.value) target.elements.client_id.value = newId();
}, true);

document.addEventListener('chime:posted', ({ target }) => {
  target.closest('.note-edit')?.removeAttribute('open');
  if (target.id !== 'note-form') return;
  target.reset();
  target.elements.client_id.value = ''; // which a reset leaves: the next note is another one
  byId('note-text').focus();
});

// What was written before this came.
if (document.activeElement === byId('note-text')) offer();
