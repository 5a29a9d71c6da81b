/** The pane with the customer's phone, which only the demo has: shown where there is room, and put away by a button. */
import { byId, toast, words } from './core.js';

function togglePhone() {
  const beside = matchMedia('(min-width: 93.75rem)').matches;
  byId('inbox').classList.toggle(beside ? 'phone-hidden' : 'phone-open');
  sessionStorage.setItem('phone', byId('phone-pane').checkVisibility() ? '' : 'away');
  showPhone();
}

/** Whoever tries the demo sees both ends of the talk at once, unless the phone was put away in this tab. */
function layOutPhone() {
  const fits = matchMedia('(min-width: 72.01rem) and (max-width: 93.74rem)').matches;
  if (byId('phone-pane') && fits && sessionStorage.getItem('phone') !== 'away') byId('inbox').classList.add('phone-open');
}

/** The demo's phone costs as much as the inbox itself, so it is fetched when it is first in sight. */
function showPhone() {
  const pane = byId('phone-pane');
  if (!pane) return;
  const shown = pane.checkVisibility();
  document.querySelector('[data-toggle-phone]').setAttribute('aria-expanded', String(shown));
  if (!shown || document.querySelector('link[data-phone-style]')) return;
  const style = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: pane.dataset.style });
  style.dataset.phoneStyle = '';
  document.head.append(style);
  import(pane.dataset.script).catch(() => toast({ text: words('failed_request'), error: true }));
}

addEventListener('resize', showPhone);
document.addEventListener('click', (event) => { if (event.target.closest('[data-toggle-phone], [data-hide-phone]')) togglePhone(); });

layOutPhone();
showPhone();
