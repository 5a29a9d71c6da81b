// The simulated customer's phone. It boots in every `<section data-phone>`, also in one that appears later; an empty
// one gets its body from the server. What it shows comes as JSON, what changed as server-sent events that carry ids
// only. Every text is set as text; nothing here makes HTML from a string.

const BASE = '/simulator';
const PLACE = { latitude: 37.8079, longitude: -122.4177, name: 'Pier Café', address: 'Beach Street' };
const CARD = { name: { formatted_name: 'Rosa Marin', first_name: 'Rosa' }, phones: [{ phone: '+14155550177', wa_id: '14155550177', type: 'CELL' }] };
const ORDER = { catalog_id: '801', text: '', product_items: [{ product_retailer_id: 'MUG-BLUE', quantity: 2, item_price: 18.5, currency: 'USD' }] };
const AD = { source_url: 'https://shop.example/ad', source_id: '120210000000000001', source_type: 'ad', headline: 'The harbour series', body: 'A fifth off', ctwa_clid: 'AffSampleClick' };
const POLL = { code: 131051, title: 'Message type unknown', message: 'Message type unknown', error_data: { details: 'Message type is currently not supported.' } };
// Kinds without an entry are files: the simulator makes one up when no id is given.
const SAMPLES = {
  location: { type: 'location', location: PLACE },
  contacts: { type: 'contacts', contacts: [CARD] },
  order: { type: 'order', order: ORDER },
  referral: { type: 'text', text: { body: 'I saw your ad!' }, referral: AD },
  unsupported: { type: 'unsupported', unsupported: { type: 'poll_creation' }, errors: [POLL] },
};

async function call(method, path, body) {
  const options = { method, headers: {} };
  if (body instanceof Blob) {
    options.body = body;
    options.headers['Content-Type'] = body.type || 'application/octet-stream';
  } else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers['Content-Type'] = 'application/json';
  }
  // In the practice workspace whoever holds the phone is signed in, and what they do has to come from this page.
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token) options.headers['X-CSRF-Token'] = token;
  const answer = await fetch(BASE + path, options);
  const data = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(data.errors?.map(error => error.message).join(' ') || data.detail);
  return data;
}

class Phone {
  constructor(body) {
    this.body = body;
    this.words = body.dataset;
    this.customer = body.dataset.customer;
    this.known = new Map();
    this.about = null;
    for (const name of ['pick', 'about', 'messages', 'typing', 'note', 'bar', 'bar-text', 'composer', 'text', 'attach', 'file-input']) {
      this[name] = body.querySelector(`[data-${name}]`);
    }
    this.bubble = body.querySelector('template[data-bubble]');
    body.addEventListener('click', event => this.guard(() => this.clicked(event)));
    body.addEventListener('change', event => this.guard(() => this.changed(event)));
    body.addEventListener('submit', event => { event.preventDefault(); this.guard(() => this.submitted(event.target)); });
    body.addEventListener('reset', event => { event.preventDefault(); this.guard(() => this.resetSwitches(event.target)); });
    this.text.addEventListener('keydown', event => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.composer.requestSubmit(); }
    });
    this.body.addEventListener('play', event => this.guard(() => this.played(event)), true);
    this.guard(() => this.loadCustomers());
    this.listen();
  }

  async guard(work) {
    try {
      await work();
    } catch (error) {
      this.say(error instanceof TypeError ? this.words.wordOffline : error.message);
    }
  }

  say(text, good = false) {
    this.note.textContent = text;
    this.note.toggleAttribute('data-good', good);
  }

  // -- what is there ---------------------------------------------------------------------------------------------

  listen() {
    const stream = new EventSource(`${BASE}/events`);
    // Also after a lost connection: what changed meanwhile is fetched.
    stream.addEventListener('hello', () => this.guard(() => this.loadCustomers()));
    stream.addEventListener('changed', event => {
      const changed = JSON.parse(event.data);
      if (changed.some(id => !this.pick.querySelector(`option[value="${CSS.escape(id)}"]`))) this.guard(() => this.loadCustomers());
      else if (changed.includes(this.customer)) this.guard(() => this.loadChat());
    });
    const watch = new MutationObserver(() => {
      if (!this.body.isConnected) { stream.close(); watch.disconnect(); }
    });
    watch.observe(document.documentElement, { childList: true, subtree: true });
  }

  query = () => `?phone_number_id=${encodeURIComponent(this.words.number)}`;
  path = rest => `/customers/${encodeURIComponent(this.customer)}${rest}`;

  async loadCustomers() {
    const { items } = await call('GET', `/customers${this.query()}`);
    const options = items.map(customer => new Option(customer.about ? `${customer.name} – ${customer.about}` : customer.name, customer.id));
    this.pick.replaceChildren(...(options.length ? options : [new Option(this.words.wordNobody, '')]));
    if (!items.some(customer => customer.id === this.customer)) this.customer = items[0]?.id ?? '';
    this.pick.value = this.customer;
    if (this.customer) await this.loadChat();
  }

  async loadChat() {
    const asked = this.customer;
    const chat = await call('GET', this.path('/messages') + this.query());
    if (asked !== this.customer) return;
    const { customer } = chat;
    const parts = [customer.phone ? `+${customer.phone}` : this.words.wordUser, customer.username && `@${customer.username}`];
    if (!customer.window_open) parts.push(this.words.wordClosed);
    this.about.textContent = parts.filter(Boolean).join(' · ');
    this.typing.hidden = !chat.typing;
    this.draw(chat.items);
  }

  draw(items) {
    // A bubble is made anew only when it would look different: a recording goes on playing, a list stays open.
    const next = new Map();
    for (const item of items) {
      const data = JSON.stringify(item.sender === 'business' ? { ...item, status: '' } : item);
      const before = this.known.get(item.wamid);
      next.set(item.wamid, { data, item, element: before?.data === data ? before.element : this.makeBubble(item) });
    }
    this.known = next;
    const elements = [...next.values()].map(entry => entry.element);
    if (elements.length !== this.messages.children.length || elements.some((one, index) => this.messages.children[index] !== one)) {
      this.messages.replaceChildren(...elements);
    }
  }

  makeBubble(item) {
    const element = this.bubble.content.firstElementChild.cloneNode(true);
    const put = (name, text) => {
      const part = element.querySelector(`[data-${name}]`);
      part.textContent = text;
      part.hidden = !text;
    };
    element.dataset.wamid = item.wamid;
    element.dataset.from = item.sender;
    element.toggleAttribute('data-gone', item.revoked);
    element.toggleAttribute('data-reacted', item.reactions.length > 0);
    put('forwarded', item.forwarded ? this.words.wordForwarded : '');
    put('referral', item.referral && `📣 ${item.referral}`);
    put('quoted', item.quoted_text);
    put('header', item.header);
    put('body', item.revoked ? this.words.wordDeleted : item.text);
    put('footer', item.footer);
    put('edited', item.edited ? this.words.wordEdited : '');
    put('reactions', item.reactions.join(' '));
    const time = element.querySelector('[data-time]');
    time.dateTime = new Date(item.at).toISOString();
    time.textContent = new Date(item.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    if (item.sender === 'customer') this.tick(element, item);
    if (item.media_kind && !item.revoked) this.putMedia(element.querySelector('[data-media]'), item);
    if (item.buttons.length) this.putButtons(element.querySelector('[data-answers]'), item);
    const own = item.sender === 'customer' && !item.revoked;
    element.querySelector('[data-act=edit]').hidden = !own || item.type !== 'text';
    element.querySelector('[data-act=delete]').hidden = !own;
    element.querySelector('[data-act=forward]').hidden = item.type !== 'text' || item.revoked;
    element.querySelector('[data-menu]').hidden = item.revoked;
    return element;
  }

  tick(element, item) {
    const tick = element.querySelector('[data-tick]');
    const read = item.status === 'read';
    tick.textContent = read ? '✓✓' : '✓';
    tick.toggleAttribute('data-read', read);
    tick.setAttribute('role', 'img');
    tick.setAttribute('aria-label', read ? this.words.wordRead : this.words.wordSent);
  }

  putMedia(place, item) {
    const address = item.media_id ? `${BASE}/files/${encodeURIComponent(item.media_id)}` : null;
    place.hidden = false;
    if (!address || item.media_kind === 'document') {
      const link = document.createElement('a');
      link.href = address ?? item.link;
      link.textContent = `📄 ${item.filename || this.words.wordOpen}`;
      link.rel = 'noreferrer';
      link.target = '_blank';
      place.replaceChildren(link);
      return;
    }
    const picture = item.media_kind === 'image' || item.media_kind === 'sticker';
    const element = document.createElement(picture ? 'img' : item.media_kind);
    if (picture) element.alt = item.media_kind === 'image' ? this.words.wordImage : this.words.wordSticker;
    else { element.controls = true; element.preload = 'metadata'; }
    element.src = address;
    place.replaceChildren(element);
  }

  putButtons(place, item) {
    const made = item.buttons.map((button, index) => {
      const element = document.createElement(button.url ? 'a' : 'button');
      if (button.url) {
        Object.assign(element, { href: button.url, target: '_blank', rel: 'noreferrer' });
      } else {
        element.type = 'button';
        element.dataset.answer = index;
        element.disabled = !button.reply;
      }
      element.textContent = button.title;
      if (button.description) {
        const more = document.createElement('small');
        more.textContent = button.description;
        element.append(more);
      }
      return element;
    });
    place.hidden = false;
    if (!item.list_title) return place.replaceChildren(...made);
    const list = document.createElement('details');
    const title = document.createElement('summary');
    title.textContent = item.list_title;
    list.append(title);
    item.buttons.forEach((button, index) => {
      if (button.section && button.section !== item.buttons[index - 1]?.section) {
        const heading = document.createElement('p');
        heading.className = 'phone-small';
        heading.textContent = button.section;
        list.append(heading);
      }
      list.append(made[index]);
    });
    place.replaceChildren(list);
  }

  // -- what the customer does ------------------------------------------------------------------------------------

  async send(body) {
    if (!this.customer) return;
    await call('POST', this.path('/messages'), { ...body, phone_number_id: this.words.number });
    this.say('');
    this.attach.open = false;
    this.endBar();
    await this.loadChat();
  }

  async submitted(form) {
    if (form === this.composer) await this.sendText();
    else if (form.hasAttribute('data-new')) await this.addCustomer(form);
  }

  async sendText() {
    const body = this.text.value.trim();
    if (!body) return;
    const text = { type: 'text', text: { body } };
    const answer = this.replying ? { ...text, context: { id: this.replying } } : text;
    const edit = { type: 'edit', edit: { original_message_id: this.editing, message: text } };
    // Emptied before the answer comes, so a second Enter sends nothing twice; given back when it failed.
    this.text.value = '';
    try {
      await this.send(this.editing ? edit : answer);
    } catch (error) {
      this.text.value = body;
      throw error;
    }
  }

  async addCustomer(form) {
    const fields = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
    const customer = await call('POST', '/customers', fields);
    form.querySelectorAll('input').forEach(input => { input.value = ''; });
    this.customer = customer.id;
    this.toggle('new', false);
    await this.loadCustomers();
    this.text.focus();
  }

  async clicked(event) {
    const button = event.target.closest('button');
    if (!button) return;
    const data = button.dataset;
    const item = this.known.get(button.closest('[data-wamid]')?.dataset.wamid)?.item;
    if (data.toggle) this.toggle(data.toggle);
    else if (data.sample) await this.send(SAMPLES[data.sample] ?? { type: data.sample, [data.sample]: {} });
    else if ('file' in data) this['file-input'].click();
    else if ('barClose' in data) this.endBar();
    else if (data.hours) await this.forward(Number(data.hours));
    else if (data.system) await this.send({ type: 'system', system: { type: data.system, wa_id: freshNumber() } });
    else if (data.preference) { await call('PUT', this.path('/preference'), { value: data.preference }); this.say(this.words.wordSaved, true); }
    else if (item && data.answer !== undefined) await this.send(item.buttons[data.answer].reply);
    else if (item && data.react !== undefined) await this.send({ type: 'reaction', reaction: { message_id: item.wamid, emoji: data.react } });
    else if (item && data.act) await this.act(data.act, item);
  }

  async act(name, item) {
    this.messages.querySelectorAll('[data-menu][open]').forEach(menu => { menu.open = false; });
    if (name === 'delete') return this.send({ type: 'revoke', revoke: { original_message_id: item.wamid } });
    if (name === 'forward') return this.send({ type: 'text', text: { body: item.text }, context: { forwarded: true } });
    this.endBar();
    this.replying = name === 'reply' ? item.wamid : null;
    this.editing = name === 'edit' ? item.wamid : null;
    if (this.editing) this.text.value = item.text;
    this['bar-text'].textContent = `${name === 'reply' ? this.words.wordReplying : this.words.wordEditing} ${item.text.slice(0, 60)}`;
    this.bar.hidden = false;
    this.text.focus();
  }

  endBar() {
    if (this.editing) this.text.value = '';
    this.replying = this.editing = null;
    this.bar.hidden = true;
  }

  async played(event) {
    const item = this.known.get(event.target.closest('[data-wamid]')?.dataset.wamid)?.item;
    if (item?.sender === 'business' && item.type === 'audio' && item.status !== 'played') {
      await call('POST', this.path('/played'), { wamid: item.wamid });
    }
  }

  async changed(event) {
    const field = event.target;
    if (field === this.pick) {
      this.customer = field.value;
      this.endBar();
      this.known = new Map();
      await this.loadChat();
    } else if (field === this['file-input']) {
      await this.sendFile(field.files[0]);
      field.value = '';
    } else if (field.form?.hasAttribute('data-switches')) {
      const value = field.type === 'checkbox' ? field.checked : Number(field.value);
      await call('PUT', '/switches', { [field.name]: value });
      this.say(this.words.wordSaved, true);
    }
  }

  async sendFile(file) {
    if (!file) return;
    const stored = await call('POST', `${this.path('/media')}${this.query()}&filename=${encodeURIComponent(file.name)}`, file);
    const [kind] = file.type.split('/');
    const type = ['image', 'video', 'audio'].includes(kind) ? kind : 'document';
    await this.send({ type, [type]: { id: stored.id, filename: file.name, voice: false } });
  }

  async forward(hours) {
    await call('POST', '/clock', { hours });
    this.say(this.words.wordSaved, true);
    await this.loadChat();
  }

  async resetSwitches(form) {
    const switches = await call('DELETE', '/switches');
    for (const field of form.querySelectorAll('input')) {
      if (field.type === 'checkbox') field.checked = switches[field.name];
      else field.value = switches[field.name];
    }
    this.say(this.words.wordSaved, true);
  }

  toggle(name, open) {
    for (const panel of this.body.querySelectorAll('[data-panel]')) {
      const wanted = panel.dataset.panel === name && (open ?? panel.hidden);
      panel.hidden = !wanted;
      this.body.querySelector(`[data-toggle="${panel.dataset.panel}"]`).setAttribute('aria-expanded', String(wanted));
    }
  }
}

function freshNumber() {
  return `1415555${String(100 + Math.floor(Math.random() * 100)).padStart(4, '0')}`;
}

// Parsing by XMLHttpRequest keeps to Trusted Types: no string is turned into HTML by script.
function fetchBody(section) {
  const request = new XMLHttpRequest();
  const address = new URL(section.dataset.src || `${BASE}/phone/fragment`, location.href);
  if (section.dataset.customer) address.searchParams.set('customer', section.dataset.customer);
  request.open('GET', address);
  request.responseType = 'document';
  request.onload = () => {
    const body = request.status === 200 && request.response.querySelector('[data-phone-body]');
    if (body) section.replaceChildren(document.adoptNode(body));
  };
  request.send();
}

const booted = new WeakSet();

function boot() {
  for (const section of document.querySelectorAll('[data-phone]')) {
    const body = section.querySelector('[data-phone-body]');
    if (body && !booted.has(body)) {
      booted.add(body);
      new Phone(body);
    } else if (!body && !booted.has(section)) {
      booted.add(section);
      fetchBody(section);
    }
  }
}

boot();
new MutationObserver(boot).observe(document.documentElement, { childList: true, subtree: true });
