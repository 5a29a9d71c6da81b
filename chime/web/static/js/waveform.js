/** How loud a voice note is over its time, drawn in its player in place of the plain line.
 *
 * Fetched by voice.js. The browser decodes what it shows anyway; a sound that it cannot decode, or that is too large to
 * be worth it, keeps the line. Promise: every bar is measured. The slider stays what it is, for the keyboard too; the
 * bars lie under it.
 */
import { fetchStyle } from './styles.js';

const BARS = 40;
const HEIGHT = 24; // of the drawing, in its own units
const RATE = 8_000; // samples a second: enough to measure how loud it is, and little memory
const LARGEST = 1_048_576; // bytes; over an hour of a voice note
const QUIET = 0.05; // what is quieter all through is not blown up to look like speech
const KEPT = 300;
const SVG = 'http://www.w3.org/2000/svg';

const measured = new Map(); // address -> heights from 0 to 1, or null for what cannot be told
let turn = Promise.resolve(); // one at a time

const addressOf = (figure) => figure.querySelector('audio').getAttribute('src');

/** The loudest moment of each of so many stretches of a sound, as a share of the loudest of all. */
export function peaks(samples, count = BARS) {
  const found = Array.from({ length: count }, (_, number) => {
    let most = 0;
    const end = Math.floor(((number + 1) * samples.length) / count);
    for (let at = Math.floor((number * samples.length) / count); at < end; at += 1) most = Math.max(most, Math.abs(samples[at]));
    return most;
  });
  const loudest = Math.max(QUIET, ...found);
  return found.map((one) => one / loudest);
}

async function measure(address) {
  const answer = await fetch(address);
  if (!answer.ok || Number(answer.headers.get('content-length')) > LARGEST) return null;
  const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await answer.arrayBuffer());
  return peaks(decoded.getChannelData(0));
}

/** Draw into a player once its sound is measured. */
function show(figure) {
  const address = addressOf(figure);
  turn = turn.then(async () => {
    if (!measured.has(address)) {
      measured.set(address, await measure(address).catch(() => null));
      if (measured.size > KEPT) measured.delete(measured.keys().next().value);
    }
    if (measured.get(address) && figure.isConnected) await draw(figure, measured.get(address));
  });
}

async function draw(figure, heights) {
  const line = figure.querySelector('.sound-line');
  if (line.querySelector('svg')) return;
  await fetchStyle('waveform');
  const drawing = document.createElementNS(SVG, 'svg');
  for (const [name, value] of Object.entries({ class: 'wave', viewBox: `0 0 ${BARS * 3} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' })) drawing.setAttribute(name, value);
  const mirrored = getComputedStyle(line).direction === 'rtl';
  heights.forEach((height, number) => {
    const bar = document.createElementNS(SVG, 'rect');
    const tall = Math.max(2, height * HEIGHT);
    const place = { x: (mirrored ? BARS - 1 - number : number) * 3 + 0.5, y: (HEIGHT - tall) / 2, width: 2, height: tall };
    for (const [name, value] of Object.entries(place)) bar.setAttribute(name, value.toFixed(2));
    drawing.append(bar);
  });
  line.prepend(drawing);
  progress(figure);
}

/** Mark what was heard already. */
export function progress(figure) {
  const { currentTime, duration } = figure.querySelector('audio');
  const heard = duration > 0 ? (currentTime / duration) * BARS : 0;
  figure.querySelectorAll('.wave rect').forEach((bar, number) => bar.classList.toggle('heard', number < heard));
}

const inSight = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    inSight.unobserve(target);
    show(target);
  }
}, { rootMargin: '50px' });

/** Draw the players of a page, each when it comes into sight; for who saves data, when it is played. */
export function watch() {
  for (const figure of document.querySelectorAll('[data-voice]:not([data-waved])')) {
    figure.dataset.waved = '';
    if (navigator.connection?.saveData) figure.querySelector('audio').addEventListener('play', () => show(figure), { once: true });
    else inSight.observe(figure);
  }
}
