/** All emoji with their names, in the reader's language where there is one, and what this person used last.
 *
 * Fetched once, when somebody first opens the picker or types a colon; tools/emoji.py makes the files and proves that
 * `toned` makes what Unicode has.
 */
const NAMED = ['es', 'pt', 'hi'];
const MOST_RECENT = 24;
const { user } = document.body.dataset;
const language = document.documentElement.lang.slice(0, 2);

let all;

/** Every group: `{key, all: [{emoji, name, takesTone, words}]}`. Rejects when they cannot be fetched; asked again then. */
export function load() {
  all ??= fetch(new URL(`../emoji/${NAMED.includes(language) ? language : 'en'}.json`, import.meta.url))
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`emoji: ${answer.status}`))))
    .then((groups) => groups.map(unpacked));
  all.catch(() => { all = undefined; });
  return all;
}

function unpacked({ key, emoji, names, words }) {
  const [called, also] = [names.split('\n'), words.split('\n')];
  return { key, all: emoji.split('\n').map((one, place) => ({ emoji: one.replace(/^\+(?=.)/u, ''), takesTone: one.length > 1 && one.startsWith('+'), name: called[place], words: also[place] })) };
}

const plain = (text) => text.toLowerCase().normalize('NFD').replace(/\p{M}/gu, (mark) => (/\p{Script=Devanagari}/u.test(mark) ? mark : ''));
const split = (text) => plain(text).split(/[\s_:,“”"’().-]+/).filter(Boolean);

/** What fits the beginnings of all words of `text`: by its name, the shortest first, then by what else it is called. */
export async function search(text, most) {
  const wanted = split(text);
  if (!wanted.length) return [];
  const fits = (words) => wanted.every((one) => words.some((word) => word.startsWith(one)));
  const byName = [];
  const otherwise = [];
  for (const one of (await load()).flatMap((group) => group.all)) {
    one.called ??= split(one.name);
    one.known ??= [...one.called, ...split(one.words)];
    if (fits(one.called)) byName.push(one);
    else if (fits(one.known)) otherwise.push(one);
  }
  const far = ({ called }) => called.length + (called[0].startsWith(wanted[0]) ? 0 : 1);
  return [...byName.sort((one, other) => far(one) - far(other)), ...otherwise].slice(0, most);
}

/* What this browser remembers of this person */

const kept = (name, otherwise) => {
  try {
    return JSON.parse(localStorage.getItem(`${name}:${user}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
};

function keep(name, value) {
  try {
    localStorage.setItem(`${name}:${user}`, JSON.stringify(value));
  } catch { /* full, or not allowed: it is a convenience */ }
}

export const recent = () => kept('emoji-recent', []);
export const tone = () => kept('emoji-tone', '');
export const keepTone = (chosen) => keep('emoji-tone', chosen);

/** The newest stands first, as it was used: in its skin tone. */
export function used(emoji) {
  keep('emoji-recent', [emoji, ...recent().filter((one) => one !== emoji)].slice(0, MOST_RECENT));
}

/** As it is put in: in the skin tone this person chose. The hands that two people hold are no third body. */
export function toned({ emoji, takesTone }, chosen = tone()) {
  if (!takesTone || !chosen) return emoji;
  return emoji.replace(/(\u200d?)(.)\ufe0f?/gsu, (whole, joiner, body) => (/\p{Emoji_Modifier_Base}/u.test(body) && !(joiner && body === '🤝') ? joiner + body + chosen : whole));
}
