/** Signing out: what was typed and not sent leaves with its person, in every tab. Over https the server's answer has the
 * browser forget it as well; on plain http nothing else would.
 */
const channel = 'BroadcastChannel' in window ? new BroadcastChannel('chime:sign-out') : null;

function forgetDrafts() {
  Object.keys(sessionStorage).filter((name) => name.startsWith('draft:')).forEach((name) => sessionStorage.removeItem(name));
}

document.addEventListener('submit', (event) => {
  if (!event.target.matches('[data-sign-out]')) return;
  forgetDrafts();
  channel?.postMessage('');
});

channel?.addEventListener('message', () => {
  const field = document.getElementById('text');
  if (field) field.value = '';
  forgetDrafts();
});
