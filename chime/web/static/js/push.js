/** Push in this browser: turned on by a button only, and said again once a visit so that a new session keeps it. */
import { byId, headers, worker } from './core.js';

const post = async (url, values = {}) => {
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(values), credentials: 'same-origin',
    headers: { ...headers(), Accept: 'application/json' } });
  if (!answer.ok) throw new Error(`push: ${answer.status}`);
  return answer.json();
};

const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));

async function say(subscription) {
  const { endpoint, keys } = subscription.toJSON();
  await post('/me/push', { endpoint, key: keys.p256dh, auth: keys.auth });
  sessionStorage.setItem('push-told', 'yes');
}

async function current() {
  const registration = await navigator.serviceWorker.getRegistration('/');
  return registration?.pushManager?.getSubscription() ?? null;
}

/** This visit belongs to the browser that is rung. */
export async function refresh() {
  const subscription = await current();
  if (subscription) await say(subscription);
}

/** Ask the person, then the browser, then tell the server. */
export async function turnOn() {
  if (await Notification.requestPermission() !== 'granted') return false;
  const [registration, { key }] = await Promise.all([worker().then(() => navigator.serviceWorker.ready), post('/me/push/key')]);
  const known = await registration.pushManager.getSubscription();
  await say(known ?? await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) }));
  return true;
}

/* The section of /me/notifications */

const isApple = () => /iPhone|iPad/.test(navigator.userAgent) || (navigator.platform === 'MacIntel' && navigator.maxTouchPoints > 1);
const isInstalled = () => matchMedia('(display-mode: standalone)').matches || navigator.standalone === true;

function standing() {
  if (!window.isSecureContext) return 'http';
  if (isApple() && !isInstalled()) return 'apple';
  if (!('serviceWorker' in navigator) || !('PushManager' in window)) return 'missing';
  return Notification.permission === 'denied' ? 'denied' : 'ready';
}

async function show() {
  let state = standing();
  if (state === 'ready' && Notification.permission === 'granted' && await current()) state = 'on';
  for (const part of byId('push').querySelectorAll('[data-push-state]')) part.hidden = !part.dataset.pushState.split(' ').includes(state);
  const notices = byId('desktop-state');
  if (notices) notices.hidden = !('Notification' in window) || Notification.permission !== 'default' || state === 'http';
}

async function act(button) {
  button.disabled = true;
  const failed = byId('push-failed');
  failed.hidden = true;
  try {
    if (button.dataset.push === 'on' && await turnOn()) location.assign('/me/notifications?said=push-on');
    if (button.dataset.push === 'desktop') await Notification.requestPermission();
  } catch {
    failed.hidden = false;
  }
  button.disabled = false;
  show();
}

if (byId('push')) {
  show();
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-push]');
    if (button) act(button);
    if (!event.target.closest('[data-sound-test]')) return;
    const { play } = await import('./sounds.js');
    byId('sound-blocked').hidden = await play(byId('sound').value, Number(byId('volume').value));
  });
}
