/** The live line to the server: one event stream for a browser, however many tabs are open.
 *
 * A Web Lock elects the tab that holds the stream; it tells the others by BroadcastChannel. Plain http has no locks:
 * there each visible tab holds its own. Nudges name what changed and carry no content. Promise: after any gap, however
 * it came about, subscribers get `resync` unless the server's counter shows that nothing was missed.
 */
import { byId, words } from './core.js';

const { base, user } = document.body.dataset;
const name = `chime:${base}:${user}`;
const channel = 'BroadcastChannel' in window ? new BroadcastChannel(name) : null;
const subscribers = new Set();

const SILENCE = 40_000; // the server says `hb` every 15 s; iOS kills a stream without an error
const STALE_WHEN_SHOWN = 20_000;
const BANNER_AFTER = 3_000;

let stream = null;
let heard = 0;
let failures = 0;
let known = null; // {boot, seq} of the last thing heard
let bannerTimer;
let reopenTimer;

/** Call `handler(kind, data)` for `nudge`, `resync` and `connected`. */
export function subscribe(handler) {
  subscribers.add(handler);
}

function tell(kind, data) {
  for (const handler of subscribers) handler(kind, data);
}

function tellAll(kind, data) {
  channel?.postMessage([kind, data]);
  receive(kind, data);
}

function receive(kind, data) {
  if (kind === 'connection') showConnection(data);
  else tell(kind, data);
}

function showConnection(good) {
  const banner = byId('offline');
  if (!banner) return;
  banner.hidden = good;
  banner.querySelector('span').textContent = good ? '' : words('gone_offline');
  if (good) tell('connected');
}

function hello(data) {
  const missed = known && (known.boot !== data.boot || known.seq !== data.seq);
  known = { boot: data.boot, seq: data.seq };
  failures = 0;
  clearTimeout(bannerTimer);
  bannerTimer = undefined;
  tellAll('connection', true);
  if (missed) tellAll('resync');
}

function nudge(data) {
  if (known) known.seq = data.seq;
  tellAll('nudge', data);
}

const listeners = {
  hello,
  nudge,
  hb: () => {},
  resync: () => tellAll('resync'),
  bye: () => reopen(500),
};

function open() {
  clearTimeout(reopenTimer);
  stream?.close();
  heard = Date.now();
  stream = new EventSource(`${base}/events`);
  for (const [kind, listener] of Object.entries(listeners)) {
    stream.addEventListener(kind, (event) => {
      heard = Date.now();
      listener(event.data ? JSON.parse(event.data) : {});
    });
  }
  stream.addEventListener('error', () => reopen(1000));
}

/** Try again after a while that grows and differs from browser to browser, so a restart is not a stampede. */
function reopen(pause) {
  stream?.close();
  failures += 1;
  bannerTimer ??= setTimeout(() => tellAll('connection', false), BANNER_AFTER);
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
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && stream && Date.now() - heard > STALE_WHEN_SHOWN) open();
  });
  addEventListener('pagehide', close);
}

function lead() {
  watch();
  open();
  addEventListener('pageshow', (event) => { if (event.persisted) { open(); tell('resync'); } });
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

if (channel) channel.onmessage = (event) => receive(...event.data);
if (navigator.locks && channel) navigator.locks.request(name, () => new Promise(lead));
else holdOwnWhileVisible();
