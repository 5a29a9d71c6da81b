/* A slider beside the field of a day and time: from the first to the last moment there is a backup of. */

const field = document.querySelector('#at[data-first]');
const slider = document.querySelector('#at-slider');
const MINUTE = 60_000;

if (field && slider) {
  const first = Number(field.dataset.first);
  const last = Number(field.dataset.last);
  // The field holds the reader's own time; how far that is from the clock of the slider is taken from what it shows.
  const shown = (text) => Date.parse(`${text}Z`);
  const offset = shown(field.min) - Math.floor(first / MINUTE) * MINUTE;
  slider.min = String(first);
  slider.max = String(last);
  slider.step = String(last - first > 2 * 24 * 60 * MINUTE ? 10 * MINUTE : MINUTE);
  const follow = () => {
    const at = shown(field.value) - offset;
    if (!Number.isNaN(at)) slider.value = String(at);
    slider.setAttribute('aria-valuetext', field.value.replace('T', ' '));
  };
  slider.addEventListener('input', () => {
    const at = Math.min(Math.max(Number(slider.value), first), last);
    field.value = new Date(at + offset).toISOString().slice(0, 19);
    slider.setAttribute('aria-valuetext', field.value.replace('T', ' '));
  });
  field.addEventListener('input', follow);
  slider.hidden = false;
  follow();
}
