/** The form of a quick reply: a click puts a name into the text, where the caret stands. */
import { byId } from './core.js';

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-put]');
  if (!button) return;
  const area = byId('text');
  area.setRangeText(button.dataset.put, area.selectionStart, area.selectionEnd, 'end');
  area.focus();
  area.dispatchEvent(new Event('input', { bubbles: true })); // the preview follows
});
