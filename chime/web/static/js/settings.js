/** The settings: what is shown once can be copied with a click; what can't be taken back asks first. */
import { copy } from './copy.js';
import { byId, confirmed } from './core.js';

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-copies]');
  if (button) copy(byId(button.dataset.copies).value);
});

document.addEventListener('submit', async (event) => {
  const form = event.target;
  const { confirm, confirmTitle, confirmVerb } = form.dataset;
  if (!confirm || form.isConfirmed) return;
  event.preventDefault();
  if (!await confirmed(confirmTitle, confirm, confirmVerb)) return;
  form.isConfirmed = true;
  form.requestSubmit(event.submitter);
});
