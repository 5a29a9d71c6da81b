/** The first run. The code stands behind the # of the address, which browsers send to nobody: it is put into the form and
 * taken out of the address, so that no history keeps it.
 */
const field = document.querySelector('form[data-door] input[name="token"]');

function show() {
  if (!field || location.hash.length < 2) return;
  field.value = location.hash.slice(1);
  history.replaceState(null, '', location.pathname);
  field.form.requestSubmit();
}

addEventListener('hashchange', show);
show();

document.querySelector('[data-print]')?.addEventListener('click', () => window.print());
document.querySelector('[data-focus]')?.focus();
