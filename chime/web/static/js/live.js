/** The live line to the server: one event stream for a browser, however many tabs are open.
 *
 * A Web Lock elects the tab that holds the stream; it tells the others by BroadcastChannel. Plain http has no locks:
 * there each visible tab holds its own. Nudges name what changed and carry no content. Promise: after any gap, however
 * it came about, the server repeats what was missed or says `resync`; a tab that joins later compares its place with the
 * leader's.
 */
import { byId, words } from './core.js';

const { base, user, live } = document.body.dataset;
const name = `chime:${base}:${user}`;
const channel = 'BroadcastChannel' in window ? new BroadcastChannel(name) : null;
const subscribers = new Set();

const SILENCE = 40_000; // the server says `hb` every 15 s; iOS kills a stream without an error
const STALE_WHEN_SHOWN = 20_000;
const BANNER_AFTER = 3_000;

let stream = null;
let heard = 0;
let failures = 0;
let joined = false; // whether this tab's place was compared with the leader's
let place = live; // the id of the last event this page knows of; at first, where the server rendered it
let bannerTimer;
let reopenTimer;

/** Whether this tab holds the line, for what only one tab should do. */
export const leads = () => stream !== null;

/** Call `handler(kind, data)` for `nudge`, `presence`, `resync`, `refused` and `connected`. */
export function subscribe(handler) {
  subscribers.add(handler);
}

function tell(kind, data) {
  for (const handler of subscribers) handler(kind, data);
}

function tellAll(kind, data) {
  channel?.postMessage([kind, data, place]);
  receive(kind, data);
}

function receive(kind, data) {
  if (kind === 'connection') showConnection(data);
  else tell(kind, data);
}

function hearFromTab(kind, data, at) {
  if (kind === 'joined') {
    if (stream) channel.postMessage(['place', null, place]);
    return;
  }
  // A page rendered before the leader's last event missed what lies between.
  if (kind === 'place' && !joined && place && place !== at) tell('resync');
  joined = true;
  place = at;
  if (kind !== 'place') receive(kind, data);
}

function showConnection(good) {
  if (good) tell('connected');
  const banner = byId('offline');
  if (!banner) return;
  banner.hidden = good;
  banner.querySelector('span').textContent = good ? '' : words('gone_offline');
}

function hello() {
  failures = 0;
  clearTimeout(bannerTimer);
  bannerTimer = undefined;
  tellAll('connection', true);
}

const listeners = {
  hello,
  nudge: (data) => tellAll('nudge', data),
  hb: () => {},
  presence: (data) => tellAll('presence', data),
  resync: () => tellAll('resync'),
  bye: () => reopen(500),
};

function open() {
  clearTimeout(reopenTimer);
  stream?.close();
  heard = Date.now();
  stream = new EventSource(`${base}/events?${new URLSearchParams({ after: place })}`);
  for (const [kind, listener] of Object.entries(listeners)) {
    stream.addEventListener(kind, (event) => {
      heard = Date.now();
      // The id of `hello` is where the server is now; what was missed since `place` comes after it.
      if (kind !== 'hello' || !place) place = event.lastEventId || place;
      listener(event.data ? JSON.parse(event.data) : {});
    });
  }
  stream.addEventListener('error', () => {
    // Refused, not broken off: perhaps its person may not listen any more, and the page has to find out.
    if (stream.readyState === EventSource.CLOSED && failures < 2) tellAll('refused');
    reopen(1000);
  });
}

function warnSoon() {
  bannerTimer ??= setTimeout(() => tellAll('connection', false), BANNER_AFTER);
}

/** Try again after a while that grows and differs from browser to browser, so a restart is not a stampede. */
function reopen(pause) {
  stream?.close();
  failures += 1;
  warnSoon();
  clearTimeout(reopenTimer);
  reopenTimer = setTimeout(open, Math.min(pause * 2 ** Math.min(failures - 1, 5), 30_000) * (0.5 + Math.random()));
}

function close() {
  clearTimeout(reopenTimer);
  clearTimeout(bannerTimer);
  bannerTimer = undefined;
  stream?.close();
  stream = null;
}

function watch() {
  setInterval(() => { if (stream && Date.now() - heard > SILENCE) open(); }, 10_000);
  addEventListener('online', () => stream && open());
  addEventListener('offline', warnSoon); // an idle stream notices nothing for a long while
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && stream && Date.now() - heard > STALE_WHEN_SHOWN) open();
  });
  addEventListener('pagehide', close);
}

function lead() {
  watch();
  open();
  addEventListener('pageshow', (event) => { if (event.persisted) open(); });
}

function holdOwnWhileVisible() {
  watch();
  const follow = () => {
    if (document.visibilityState !== 'visible') close();
    else if (!stream) open();
  };
  document.addEventListener('visibilitychange', follow);
  follow();
}

if (channel) channel.onmessage = (event) => hearFromTab(...event.data);
channel?.postMessage(['joined', null, place]);
if (navigator.locks && channel) navigator.locks.request(name, () => new Promise(lead));
else holdOwnWhileVisible();
