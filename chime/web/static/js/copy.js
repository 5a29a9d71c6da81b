/** The clipboard. Fetched with the first thing that is copied. */
import { toast, words } from './core.js';

/** Put text on the clipboard; plain http has no clipboard interface, so the old way stands in. */
export async function copy(text) {
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand('copy');
    area.remove();
  }
  toast({ text: words(done ? 'copied' : 'not_copied'), error: !done });
}
