/** What an open page does when its person is told of something: counts, sounds, notices of the desktop.
 *
 * The tab that holds the live line asks and rings for all of them, so one event is one sound and one notice. What is on
 * a screen already is neither rung nor flashed: the tab that shows it says so first.
 */
import { byId, headers, send, toast } from './core.js';
import { leads } from './live.js';

const { base, user, bellIcon } = document.body.dataset;
const channel = 'BroadcastChannel' in window ? new BroadcastChannel(`chime-bell:${base}:${user}`) : null;
const ANSWER = 150; // so long another tab has to say that somebody looks at it there
const AGAIN = 6_000;
const ASKS_AGAIN = 10;
const looking = new Set();
const ringing = new Map(); // what rings until somebody looks, by its id
let ringer;
let rings = 0;
let isBlocked = false;

if (channel) {
  channel.onmessage = ({ data: [kind, value] }) => {
    if (kind === 'news') follow(value);
    if (kind === 'looking') looking.add(value);
  };
}

async function fetchNews(ids) {
  const answer = await fetch(`${base}/notifications/news?${new URLSearchParams({ ids: ids.join(',') })}`, {
    headers: { ...headers(), Accept: 'application/json', 'X-Unasked': '1' }, credentials: 'same-origin',
  });
  return answer.ok ? answer.json() : null;
}

/** Something happened; `ids` are the notifications that are new. */
export async function tell(ids) {
  if (!leads()) return;
  const asked = [...new Set([...ids, ...ringing.keys()])];
  const found = await fetchNews(asked).catch(() => null);
  if (!found) return;
  const news = { ...found, asked };
  looking.clear();
  channel?.postMessage(['news', news]);
  hear(news);
  await new Promise((done) => { setTimeout(done, ANSWER); });
  keepRinging(news);
  const fresh = news.items.filter((item) => ids.includes(item.id) && !looking.has(item.conversation));
  fresh.forEach(flash);
  if (fresh.some((item) => item.sound)) sound(news);
}

/** Another tab rings. When it is closed, this one may have to go on. */
async function follow(news) {
  looking.clear();
  hear(news);
  await new Promise((done) => { setTimeout(done, ANSWER); });
  keepRinging(news);
}

function hear({ unread, items }) {
  count(unread);
  const open = shown();
  if (open && items.some(({ conversation }) => conversation === open)) look();
}

/** The conversation that somebody looks at in this tab. */
const shown = () => (document.visibilityState === 'visible' && document.hasFocus() ? byId('thread')?.dataset.conversation : undefined);

/** It is on the screen: nothing of it is unread. */
export function look() {
  const conversation = shown();
  if (!conversation || 'copy' in document.body.dataset) return; // nothing is taken in a restored copy
  looking.add(conversation);
  channel?.postMessage(['looking', conversation]);
  send(`${base}/notifications/seen`, { body: new URLSearchParams({ conversation_id: conversation }) }).catch(() => {});
}

function count(unread) {
  for (const badge of document.querySelectorAll('[data-bell-badge]')) {
    badge.textContent = unread > 99 ? '99+' : String(unread);
    badge.hidden = unread === 0;
  }
  const title = document.title.replace(/^\(\d+\) /, '');
  if (!byId('inbox')) document.title = unread ? `(${unread}) ${title}` : title;
  if (unread) navigator.setAppBadge?.(unread).catch(() => {});
  else navigator.clearAppBadge?.().catch(() => {});
}

async function flash({ desktop, title, body, tag, url }) {
  if (!desktop || window.Notification?.permission !== 'granted') return;
  const options = { body, tag, icon: bellIcon, renotify: true, silent: true, data: { url } };
  // The same way as a push: whichever comes later takes the other's place.
  const worker = await navigator.serviceWorker?.getRegistration('/').catch(() => undefined);
  if (worker?.active) {
    worker.showNotification(title, options);
    return;
  }
  const notice = new Notification(title, options);
  notice.addEventListener('click', () => {
    focus();
    notice.close();
    location.assign(url);
  });
}

async function sound({ sound: name, volume, blocked }) {
  const { play } = await import('./sounds.js');
  if (await play(name, volume) || isBlocked) return;
  isBlocked = true;
  toast({ text: blocked });
  addEventListener('pointerdown', () => { isBlocked = false; play(name, volume); }, { once: true });
}

function keepRinging(news) {
  for (const id of news.asked) ringing.delete(id); // read by now, or quiet hours began
  for (const item of news.items) if (item.rings_on && !looking.has(item.conversation)) ringing.set(item.id, news);
  if (ringing.size && !ringer) ringer = setInterval(again, AGAIN);
  if (!ringing.size) stop();
}

function again() {
  const [news] = ringing.values();
  if (!news || !leads()) return;
  sound(news);
  rings += 1;
  if (rings % ASKS_AGAIN === 0) tell([]); // quiet hours begin without a word
}

function stop() {
  clearInterval(ringer);
  ringer = undefined;
}
