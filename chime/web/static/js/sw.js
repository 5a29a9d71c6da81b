/** The service worker: takes pushes, opens what a click on one asks for, and shows a page of its own when a page cannot be
 * fetched. It keeps nothing of anybody's data. `CHIME` stands in front of this text when it is served.
 */
const STORE = `chime-${CHIME.build}`;
const OFFLINE = '/offline';

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(STORE).then((store) => store.addAll([OFFLINE, ...CHIME.offline])).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name !== STORE) await caches.delete(name);
    await self.clients.claim();
  })());
});

const kept = (request) => caches.match(request, { ignoreVary: true });

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.mode === 'navigate') event.respondWith(fetch(request).catch(() => kept(OFFLINE)));
  else if (CHIME.offline.includes(new URL(request.url).pathname)) event.respondWith(fetch(request).catch(() => kept(request)));
});

self.addEventListener('push', (event) => {
  const { title = 'Chime', body = '', url = '/', tag = 'chime', count = 0 } = event.data?.json() ?? {};
  event.waitUntil(Promise.all([
    self.registration.showNotification(title, { body, tag, renotify: true, icon: CHIME.icon, badge: CHIME.icon, data: { url } }),
    count ? navigator.setAppBadge?.(count) : navigator.clearAppBadge?.(),
  ]));
});

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const url = new URL(event.notification.data?.url ?? '/', self.location.origin);
  if (url.origin !== self.location.origin) return;
  event.waitUntil((async () => {
    const open = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
    const near = open.find((client) => new URL(client.url).pathname === url.pathname) ?? open.find((client) => client.focused) ?? open[0];
    if (!near) return self.clients.openWindow(url.href);
    await near.focus().catch(() => {});
    return new URL(near.url).pathname === url.pathname ? undefined : near.navigate(url.href).catch(() => self.clients.openWindow(url.href));
  })());
});
