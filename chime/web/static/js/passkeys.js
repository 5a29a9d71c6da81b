/** Passkeys: forms that are answered by the person's device.
 *
 * A form with `data-passkey-get` or `data-passkey-create` names where its question is fetched; the device's answer goes
 * into its field `answer` and the form is sent like any other. Promise: a form that was given up, or met a browser
 * without passkeys, says so and can be tried again; nothing is sent without the device's answer.
 */

const decode = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const described = (list = []) => list.map((entry) => ({ ...entry, id: decode(entry.id) }));

/** The question of the server, its texts turned into bytes as browsers want them. */
function readable(options) {
  const found = { ...options, challenge: decode(options.challenge) };
  if (options.user) found.user = { ...options.user, id: decode(options.user.id) };
  if (options.allowCredentials) found.allowCredentials = described(options.allowCredentials);
  if (options.excludeCredentials) found.excludeCredentials = described(options.excludeCredentials);
  return found;
}

/** The device's answer as text. */
function written(credential) {
  const { response } = credential;
  const found = { clientDataJSON: encode(response.clientDataJSON) };
  if (response.attestationObject) found.attestationObject = encode(response.attestationObject);
  if (response.signature) {
    found.authenticatorData = encode(response.authenticatorData);
    found.signature = encode(response.signature);
    if (response.userHandle) found.userHandle = encode(response.userHandle);
  }
  return JSON.stringify({
    id: credential.id, rawId: encode(credential.rawId), type: credential.type, response: found,
    clientExtensionResults: {},
  });
}

async function answered(form) {
  const making = 'passkeyCreate' in form.dataset;
  const question = await fetch(making ? form.dataset.passkeyCreate : form.dataset.passkeyGet, {
    method: 'POST', body: new URLSearchParams(new FormData(form)), headers: { Accept: 'application/json' },
  });
  if (!question.ok || question.redirected) throw new Error('no question');
  const publicKey = readable(await question.json());
  return written(await (making ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey })));
}

document.addEventListener('submit', async (event) => {
  const form = event.target.closest('[data-passkey-get], [data-passkey-create]');
  if (!form) return;
  event.preventDefault();
  const error = form.querySelector('[data-passkey-error]');
  error.hidden = true;
  try {
    form.elements.answer.value = await answered(form);
    form.submit();
  } catch {
    error.textContent = error.dataset.passkeyError;
    error.hidden = false;
  }
});

// No device could answer here (plain http, an old browser), so nothing is offered.
if (!window.PublicKeyCredential) {
  for (const form of document.querySelectorAll('[data-passkey-get], [data-passkey-create]')) form.hidden = true;
}
