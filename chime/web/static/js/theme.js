/** Light, dark, or as the device is. Fetched when somebody chooses. */
import { send, toast, words } from './core.js';

/** Show the page in what a button of the form says, and have the server remember it. */
export function choose(form, button) {
  const { value } = button;
  if (value === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = value;
  form.querySelectorAll('button').forEach((one) => one.setAttribute('aria-pressed', String(one === button)));
  send(form.action, { body: new URLSearchParams({ theme: value }) }).catch(() => toast({ text: words('failed_request'), error: true }));
}
