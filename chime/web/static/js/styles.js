/** Styles of parts that are fetched when they are first needed. */

/** Put a style sheet of ours on the page, once; settles when it is there. */
export function fetchStyle(name) {
  const href = new URL(`../css/${name}.css`, import.meta.url).href;
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href });
  const there = new Promise((resolve) => { link.addEventListener('load', resolve); link.addEventListener('error', resolve); });
  document.head.append(link);
  return there;
}
