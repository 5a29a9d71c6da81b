/** The bell of every page. It only listens; what rings, flashes and counts is fetched when somebody is told of something.
 */
import { byId, worker } from './core.js';
import { subscribe } from './live.js';

const GATHER = 150; // what happens at once rings once
const SETTLED = 5_000;
const PASSING = 250; // who goes on to the next conversation at once has not looked at this one
const named = new Set();
let timer;
let passing;

const load = (then) => import('./notify.js').then(then, () => {});

function gather(id) {
  if (id) named.add(id);
  timer ??= setTimeout(() => {
    timer = undefined;
    const ids = [...named];
    named.clear();
    load(({ tell }) => tell(ids));
  }, GATHER);
}

subscribe((kind, data) => {
  if (kind === 'nudge' && data.topic === 'notification') gather(data.id);
  // Nobody repeats what one person missed; at the start the page knows how many there are.
  if (kind === 'resync' || (kind === 'connected' && performance.now() > SETTLED)) gather('');
});

/** Whoever opens a conversation has seen what they were told of it. */
function looked() {
  const badge = document.querySelector('[data-bell-badge]');
  if (byId('thread')?.dataset.conversation && badge && !badge.hidden) load(({ look }) => look());
}

document.addEventListener('chime:thread', () => {
  clearTimeout(passing);
  passing = setTimeout(looked, PASSING);
});
document.addEventListener('visibilitychange', looked);
addEventListener('focus', looked);
looked();

// An installed app shows its own page when there is no connection. A browser that is rung says so again once a visit.
if ('serviceWorker' in navigator) {
  if (matchMedia('(display-mode: standalone)').matches) worker().catch(() => {});
  if (window.Notification?.permission === 'granted' && !sessionStorage.getItem('push-told')) {
    import('./push.js').then(({ refresh }) => refresh(), () => {});
  }
}
