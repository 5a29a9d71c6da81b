/** Tells the server which clock this browser's person lives by, so that pages are drawn in their time from the first on. */
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`zone=${zone}`)) {
  const secure = location.protocol === 'https:' ? '; secure' : '';
  document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
}
