/* Counts down until when an answer is due. Fetched when the first such moment is on the page. */

import { words } from './core.js';

const ends = new WeakMap(); // element -> the moments on this machine's steady clock, as the server last told them
const HOUR = 60;

function spoken(milliseconds) {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  const days = Math.floor(minutes / (24 * HOUR));
  if (days) return words('days_hours', { days, hours: Math.floor(minutes / HOUR) % 24 });
  return minutes < HOUR ? words('minutes', { minutes }) : words('hours_minutes', { hours: Math.floor(minutes / HOUR), minutes: minutes % HOUR });
}

function show(element) {
  const told = element.dataset.due;
  if (ends.get(element)?.told !== told) {
    const now = performance.now();
    ends.set(element, { told, due: now + Number(told), soon: now + Number(element.dataset.soon) });
  }
  const { due, soon } = ends.get(element);
  const left = due - performance.now();
  const isSoon = soon <= performance.now();
  element.classList.toggle('chip-danger', left <= 0);
  element.classList.toggle('chip-warn', left > 0 && isSoon);
  element.hidden = 'urgent' in element.dataset && !isSoon;
  const text = left > 0 ? words('due_left', { time: spoken(left) }) : words('due_over', { time: spoken(-left) });
  const place = element.querySelector('time');
  if (place.textContent !== text) place.textContent = text;
}

export function tick() {
  document.querySelectorAll('[data-due]').forEach(show);
}

tick();
