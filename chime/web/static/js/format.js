/** WhatsApp's marks while a reply is written: keys that put them in, and a line that shows how it will look.
 *
 * Fetched by thread.js with the first mark or key. The line is made of nodes, never of markup, by the same rules as the
 * server shows messages with (see `whatsapp_text` in chime/web/pages.py).
 */
const MARKS = { b: '*', i: '_', x: '~', m: '```' };
const RULES = [
  [/```([\s\S]+?)```/, 'code'],
  [/(?<![\p{L}\p{N}_*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\p{L}\p{N}_*])/u, 'strong'],
  [/(?<![\p{L}\p{N}_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\p{L}\p{N}_])/u, 'em'],
  [/(?<![\p{L}\p{N}_~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\p{L}\p{N}_~])/u, 's'],
];

/** Put the mark of a key around what is selected, or take it away again. */
export function mark(field, key) {
  const sign = MARKS[key];
  const { selectionStart: begin, selectionEnd: end, value } = field;
  const inside = value.slice(begin, end);
  const around = value.slice(begin - sign.length, begin) === sign && value.slice(end, end + sign.length) === sign;
  if (around) {
    field.setRangeText(inside, begin - sign.length, end + sign.length);
    field.setSelectionRange(begin - sign.length, end - sign.length);
  } else {
    field.setRangeText(`${sign}${inside}${sign}`, begin, end);
    field.setSelectionRange(begin + sign.length, end + sign.length);
  }
  field.dispatchEvent(new Event('input', { bubbles: true }));
}

/** Show how a text will look, if anything in it is marked. */
export function preview(field) {
  const known = document.getElementById('format-preview');
  const nodes = marked(field.value);
  if (nodes.every((node) => typeof node === 'string')) {
    known?.remove();
    return;
  }
  const line = known ?? Object.assign(document.createElement('p'), { id: 'format-preview', className: 'format-preview', dir: 'auto' });
  line.setAttribute('aria-hidden', 'true'); // the field itself is read out
  line.replaceChildren(...nodes);
  if (!known) field.closest('.composer-row').before(line);
}

/** A text as a list of texts and elements. */
function marked(text) {
  for (const [rule, name] of RULES) {
    const match = rule.exec(text);
    if (!match) continue;
    const element = document.createElement(name);
    element.append(...(name === 'code' ? [match[1]] : marked(match[1])));
    return [...marked(text.slice(0, match.index)), element, ...marked(text.slice(match.index + match[0].length))].filter((part) => part !== '');
  }
  return [text];
}

/** After a message left or a draft came back nobody typed, yet the words are others. */
function look() {
  const field = document.getElementById('text');
  if (field) preview(field);
}

for (const kind of ['keyup', 'submit', 'click']) document.addEventListener(kind, () => setTimeout(look, 50));
