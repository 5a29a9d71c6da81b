/** The player of voice notes and audio: play and pause, seek, speed.
 *
 * Fetched by thread.js with the first one that is shown. One sounds at a time. Nothing is kept per element, since live
 * updates may replace what is on the page: whatever an `audio` says is written into the controls around it.
 */
let wave; // what draws how loud they are; comes when this page has nothing better to do

const SPEEDS = [1, 1.5, 2];
let speed = 1;

const figureOf = (element) => element.closest?.('[data-voice]');
const audioOf = (figure) => figure.querySelector('audio');

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Write into a player how its audio stands. */
function tell(audio) {
  const figure = figureOf(audio);
  if (!figure) return;
  const seek = figure.querySelector('[data-voice-seek]');
  const { currentTime, duration, paused } = audio;
  const known = Number.isFinite(duration) && duration > 0;
  figure.querySelector('[data-voice-play]').setAttribute('aria-pressed', String(!paused));
  figure.querySelector('[data-voice-time]').textContent = paused && !currentTime ? (known ? clock(duration) : '–:––') : clock(currentTime);
  figure.querySelector('[data-voice-rate]').textContent = `${speed}×`;
  if (known && document.activeElement !== seek) seek.value = String(Math.round((currentTime / duration) * 1000));
  wave?.progress(figure);
  seek.setAttribute('aria-valuetext', seek.dataset.of.replace('{now}', clock(currentTime)).replace('{all}', known ? clock(duration) : '–:––'));
}

function play(audio) {
  for (const other of document.querySelectorAll('[data-voice] audio')) if (other !== audio) other.pause();
  audio.playbackRate = speed;
  audio.play().catch(() => tell(audio));
}

for (const kind of ['loadedmetadata', 'durationchange', 'timeupdate', 'play', 'pause', 'ended']) {
  document.addEventListener(kind, (event) => {
    if (kind === 'ended') event.target.currentTime = 0;
    if (figureOf(event.target)) tell(event.target);
  }, true);
}

document.addEventListener('click', (event) => {
  const figure = figureOf(event.target);
  if (!figure) return;
  const audio = audioOf(figure);
  if (event.target.closest('[data-voice-play]')) {
    if (audio.paused) play(audio);
    else audio.pause();
  }
  if (event.target.closest('[data-voice-speed]')) {
    speed = SPEEDS[(SPEEDS.indexOf(speed) + 1) % SPEEDS.length];
    for (const each of document.querySelectorAll('[data-voice] audio')) {
      each.playbackRate = speed;
      tell(each);
    }
  }
});

document.addEventListener('input', (event) => {
  if (!event.target.matches('[data-voice-seek]')) return;
  const audio = audioOf(figureOf(event.target));
  if (Number.isFinite(audio.duration)) audio.currentTime = (Number(event.target.value) / 1000) * audio.duration;
  tell(audio);
});

for (const audio of document.querySelectorAll('[data-voice] audio')) if (audio.readyState) tell(audio);
document.addEventListener('htmx:after:swap', () => {
  wave?.watch();
  for (const audio of document.querySelectorAll('[data-voice] audio')) if (audio.readyState) tell(audio);
});

import('./waveform.js').then((module) => {
  wave = module;
  wave.watch();
}, () => {}); // without it there is the line
