/** The way from the list to what is fetched when it is first asked for: choosing several, and the counts of views. */
import { toast, words } from './core.js';

const LONG = 500;

function use(what, row) {
  import('./list.js').then((list) => list.use(what, row), () => toast({ text: words('failed_request'), error: true }));
}

document.addEventListener('chime:list', ({ detail: { what, row } }) => use(what, row));
document.addEventListener('click', ({ target }) => {
  const asked = target.closest('[data-list]');
  if (asked) use(asked.dataset.list);
});

let holding;
document.addEventListener('touchstart', ({ target }) => {
  const row = target.closest('#rows .row');
  if (row) holding = setTimeout(() => use('hold', row), LONG);
}, { passive: true });
for (const name of ['touchend', 'touchmove', 'touchcancel']) {
  document.addEventListener(name, () => clearTimeout(holding), { passive: true });
}
