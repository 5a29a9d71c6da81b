/** Who is available: a dot on each avatar that has `data-person`, asked for when such avatars come in sight.
 *
 * Promise: at most one question in ten seconds, whatever is opened how often; without an answer there are no dots.
 */
const { base } = document.body.dataset;
const FRESH = 10_000;
let asked = 0;
let answer = null;

function people() {
  if (!answer || Date.now() - asked > FRESH) {
    asked = Date.now();
    answer = fetch(`${base}/availability/people`, { headers: { 'X-Unasked': '1' }, credentials: 'same-origin' })
      .then((found) => (found.ok ? found.json() : {})).catch(() => ({}));
  }
  return answer;
}

/** Put the dots on the avatars inside `root`. */
export async function show(root) {
  const known = await people();
  for (const avatar of root.querySelectorAll('.avatar[data-person]')) {
    const { status, words } = known[avatar.dataset.person] ?? {};
    avatar.querySelector('.status-dot')?.remove();
    if (!status) continue;
    const dot = Object.assign(document.createElement('span'), { className: 'status-dot' });
    dot.dataset.status = status;
    avatar.append(dot);
    avatar.title = words;
    say(avatar, words);
  }
}

/** The same as a word behind the name, for who does not see the dot. */
function say(avatar, words) {
  const row = avatar.parentElement;
  const said = row.querySelector(':scope > .availability-said')
    ?? row.appendChild(Object.assign(document.createElement('span'), { className: 'sr availability-said' }));
  said.textContent = `, ${words}`;
}

// A header that was drawn anew has none.
document.addEventListener('htmx:after:swap', () => {
  const menu = document.querySelector('#assign-menu:popover-open');
  if (menu) show(menu);
});
show(document);
