/** Files and voice notes: the tray, uploading with progress, recording. Fetched by composer.js on first use.
 *
 * Files wait in a tray above the composer until Send; the text becomes the caption of the first, or where that cannot
 * have one a message before it. WhatsApp's size limits are said before an upload, the server judges again. Uploads use
 * XMLHttpRequest, since fetch tells no progress.
 */
import { byId, headers, newId, toast, words } from './core.js';
import { clearComposer, insertText, lastSeen, showSendError, undoable } from './composer.js';
import { failBubble, noteOn, pendingBubble } from './bubbles.js';
import { openThread, receive } from './thread.js';

const composer = () => byId('composer');
let tray = []; // {file, address} of what waits; `address` is a blob: for the thumbnail

/* Choosing */

function spokenSize(bytes) {
  const [unit, value] = bytes >= 1_048_576 ? ['megabyte', bytes / 1_048_576] : ['kilobyte', bytes / 1024];
  return new Intl.NumberFormat(document.documentElement.lang, { style: 'unit', unit, maximumFractionDigits: unit === 'megabyte' ? 1 : 0 }).format(value);
}

function limitFor(file) {
  const kind = /^image\/(jpeg|png)/.test(file.type) ? 'Image' : { video: 'Video', audio: 'Audio' }[file.type.split('/')[0]] ?? 'Document';
  return Number(byId('file').dataset[`limit${kind}`]);
}

/** Put files into the tray, those WhatsApp would refuse excepted. */
export function addFiles(files) {
  if (!composer()) return;
  for (const file of files) {
    const limit = limitFor(file);
    if (!file.size) toast({ text: words('empty_file', { name: file.name }), error: true });
    else if (file.size > limit) toast({ text: words('too_big', { name: file.name, size: spokenSize(file.size), limit: spokenSize(limit) }), error: true });
    else tray.push({ file, address: file.type.startsWith('image/') ? URL.createObjectURL(file) : '' });
  }
  showTray();
  byId('text').focus();
}

function showTray() {
  const box = byId('tray');
  if (!box) return;
  box.hidden = !tray.length;
  box.replaceChildren(...tray.map((entry) => {
    const item = byId('tpl-tray').content.firstElementChild.cloneNode(true);
    item.querySelector('[data-name]').textContent = entry.file.name;
    item.querySelector('[data-size]').textContent = spokenSize(entry.file.size);
    item.querySelector('.sr').textContent = words('remove', { name: entry.file.name });
    if (entry.address) item.querySelector('.tray-thumb').replaceChildren(Object.assign(new Image(), { src: entry.address, alt: '' }));
    item.querySelector('button').addEventListener('click', () => { drop([entry]); showTray(); });
    return item;
  }));
}

function drop(entries) {
  entries.forEach(({ address }) => address && URL.revokeObjectURL(address));
  tray = tray.filter((entry) => !entries.includes(entry));
}

document.addEventListener('chime:thread', () => { drop(tray); showTray(); });

/* Uploading, one after the other */

const LONGEST_CAPTION = 1024;

/** Whether WhatsApp shows such words under this file: none under a sound, and no long ones. */
const takesCaption = (file, text) => !file.type.startsWith('audio/') && text.length <= LONGEST_CAPTION;

document.addEventListener('chime:compose', (event) => {
  if (!tray.length) return;
  const files = tray.map(({ file }) => file);
  const { text, quoted, quote, seen, moment } = event.detail;
  drop(tray);
  showTray();
  if (text && !takesCaption(files[0], text)) {
    event.detail.after = (sent) => files.forEach((file) => enqueue({ file, caption: '', quoted: '', quote: '', voice: false, seen, moment, sent }));
    return;
  }
  event.preventDefault();
  clearComposer();
  files.forEach((file, index) => enqueue({ file, caption: index ? '' : text, quoted: index ? '' : quoted, quote: index ? '' : quote, voice: false, seen, moment }));
});

let uploads = Promise.resolve();

/** `sent`: of a text that must arrive before; a file whose text did not leave goes back into the tray. */
function enqueue({ file, caption, quoted, quote, voice, seen, moment, sent = true }) {
  const client = newId();
  const body = new FormData();
  body.set('client_id', client);
  body.set('caption', caption);
  body.set('quoted_id', quoted);
  body.set('seen', seen ?? lastSeen());
  for (const [name, value] of Object.entries(moment ?? {})) body.set(name, value);
  if (voice) body.set('voice', '1');
  body.set('file', file, file.name);
  const bubble = pendingBubble({ client, text: caption, quote, filename: file.name });
  const item = { url: composer().dataset.files, body, bubble, file, client, caption, quoted, quote, moment, conversation: openThread().dataset.conversation };
  uploads = uploads.then(() => sent).then((ok) => (ok ? upload(item) : takeBack(item)));
}

function takeBack({ bubble, file, conversation }) {
  bubble.remove();
  if (openThread()?.dataset.conversation === conversation) addFiles([file]);
}

/** Send one file; settles when the server answered or cannot be reached. */
function upload(item) {
  return new Promise((settle) => {
    const request = new XMLHttpRequest();
    request.open('POST', item.url);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.addEventListener('progress', (event) => showProgress(item, event));
    request.addEventListener('loadend', () => finish(item, request).finally(settle));
    request.send(item.body);
  });
}

function showProgress({ bubble }, { loaded, total }) {
  const percent = Math.round((loaded / total) * 100);
  const bar = bubble.querySelector('progress');
  if (bar) bar.value = percent;
  noteOn(bubble, percent < 100 ? words('uploading', { percent }) : '');
}

async function finish(item, request) {
  const { status, responseText: text } = request;
  noteOn(item.bubble, '');
  if (status === 200) {
    if (item.moment) item.bubble.remove(); // what comes is no bubble but the list of what is for later
    await receive(text, item.conversation);
    undoable(item.client, { text: item.caption, quoted: item.quoted, quote: item.quote, file: item.file, voice: item.body.has('voice') });
  } else if (status >= 400 && status < 500) {
    item.bubble.remove();
    await showSendError({ status, text });
    if (openThread()?.dataset.conversation === item.conversation && !item.body.has('voice')) {
      addFiles([item.file]);
      if (item.caption && !byId('text').value) insertText(item.caption);
    }
  } else {
    failBubble(item.bubble, words('not_sent'), { retry: () => { uploads = uploads.then(() => upload(item)); } });
  }
}

/* Voice notes */

const TYPES = ['audio/ogg;codecs=opus', 'audio/webm;codecs=opus', 'audio/mp4']; // the first is what WhatsApp wants
const BITS_PER_SECOND = 20_000; // three minutes stay under the 512 KB up to which WhatsApp shows a voice note

let recorder = null;
let recording = null; // the finished File
let timer;

function showRecorder(state) {
  byId('writing').hidden = state !== 'off';
  byId('recorder').hidden = state === 'off';
  const done = state === 'done';
  byId('rec-listen').hidden = !done;
  document.querySelector('[data-rec-gap]').hidden = done;
  document.querySelector('.rec-dot').hidden = done;
  document.querySelector('[data-stop-recording]').hidden = done;
  document.querySelector('[data-send-recording]').hidden = !done;
}

/** Ask for the microphone and record until Stop. */
export async function record() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch {
    toast({ text: words('no_microphone'), error: true });
    return;
  }
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const current = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: BITS_PER_SECOND });
  const chunks = [];
  recorder = current;
  current.addEventListener('dataavailable', (event) => chunks.push(event.data));
  current.addEventListener('stop', () => {
    stream.getTracks().forEach((track) => track.stop());
    clearInterval(timer);
    if (recorder === current) keepRecording(new Blob(chunks, { type: current.mimeType }));
  });
  current.start();
  showRecorder('on');
  runTimer();
  document.querySelector('[data-stop-recording]').focus();
}

function runTimer() {
  const began = performance.now();
  const show = () => {
    const seconds = Math.floor((performance.now() - began) / 1000);
    if (byId('rec-time')) byId('rec-time').textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  };
  show();
  timer = setInterval(show, 500);
}

/** Show what was recorded, to be heard, sent or thrown away. */
export function keepRecording(blob) {
  const ending = blob.type.includes('ogg') ? 'ogg' : blob.type.includes('webm') ? 'webm' : 'm4a';
  recording = new File([blob], `voice.${ending}`, { type: blob.type });
  byId('rec-listen').src = URL.createObjectURL(recording);
  showRecorder('done');
  document.querySelector('[data-send-recording]').focus();
}

function endRecording() {
  const running = recorder;
  recorder = null; // so that its `stop` keeps nothing
  if (running?.state === 'recording') running.stop();
  recording = null;
  if (!byId('recorder')) return;
  if (byId('rec-listen').src) URL.revokeObjectURL(byId('rec-listen').src);
  byId('rec-listen').removeAttribute('src');
  showRecorder('off');
}

document.addEventListener('click', (event) => {
  const on = (selector) => event.target.closest(selector);
  if (on('[data-stop-recording]')) recorder?.stop();
  if (on('[data-discard-recording]')) endRecording();
  if (on('[data-send-recording]') && recording) {
    enqueue({ file: recording, caption: '', quoted: '', quote: '', voice: true });
    endRecording();
  }
});

document.addEventListener('chime:thread', endRecording);
