// The search and the menu of the site. The browser builds the index at the first search.
const top_ = document.documentElement.dataset.top;
const form = document.getElementById('search');
const field = form.querySelector('input');
const results = document.getElementById('results');
let index;

function load(name) {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement('script'), {
      src: `${top_}/${name}`,
      onload: resolve,
    });
    script.onerror = () => reject(new Error(`${name} cannot be loaded`));
    document.head.append(script);
  });
}

/** Returns a promise of the index. It loads scripts instead of fetch(), so that it works from a file too. */
function ready() {
  index ??= Promise.all([load('minisearch.js'), load('search-data.js')]).then(() => {
    const made = new window.MiniSearch({
      fields: ['title', 'page', 'text'],
      storeFields: ['title', 'page', 'text'],
    });
    made.addAll(window.sections);
    return made;
  });
  return index;
}

/** Returns a part of the text around the first word found, with all found words marked. */
function excerpt(text, terms) {
  const places = terms.map((term) => text.toLowerCase().indexOf(term)).filter((place) => place >= 0);
  const start = text.lastIndexOf(' ', Math.max(0, Math.min(...places, text.length) - 60)) + 1;
  const part = `${start > 0 ? '… ' : ''}${text.slice(start, start + 180)}${text.length > start + 180 ? ' …' : ''}`;
  const found = new RegExp(
    `(${terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})`,
    'gi',
  );
  return part.split(found).map((piece, at) => {
    if (at % 2 === 0) return piece;
    return Object.assign(document.createElement('mark'), { textContent: piece });
  });
}

function entry({ id, title, page, text, terms }) {
  const link = Object.assign(document.createElement('a'), { href: `${top_}/${id}` });
  const name = Object.assign(document.createElement('strong'), { textContent: title });
  const where = Object.assign(document.createElement('small'), { textContent: page === title ? '' : page });
  const words = document.createElement('div');
  words.append(...excerpt(text, terms));
  link.append(name, where, words);
  return link;
}

/** Errors first, the changelog last. */
function boostDocument(id) {
  if (id.startsWith('docs/troubleshooting.')) return 2;
  return id.startsWith('CHANGELOG.') ? 0.3 : 1;
}

async function show() {
  const words = field.value.trim();
  results.hidden = words === '';
  if (words === '') return;
  try {
    const all = await ready();
    if (field.value.trim() !== words) return;
    const how = {
      boost: { title: 3, page: 2 },
      boostDocument,
      prefix: true,
      fuzzy: (term) => (term.length > 5 ? 0.15 : false),
    };
    const whole = all.search(words, { ...how, combineWith: 'AND' });
    const found = (whole.length > 0 ? whole : all.search(words, how)).slice(0, 20);
    const none = Object.assign(document.createElement('p'), { textContent: `Nothing found for “${words}”.` });
    results.replaceChildren(...(found.length > 0 ? found.map(entry) : [none]));
  } catch (error) {
    results.replaceChildren(Object.assign(document.createElement('p'), { textContent: error.message }));
  }
}

/** Moves up and down in the list. */
function move(by) {
  const links = [...results.querySelectorAll('a')];
  const at = links.findIndex((link) => link.classList.contains('chosen'));
  links[at]?.classList.remove('chosen');
  const next = links[(at + by + links.length) % links.length];
  next?.classList.add('chosen');
  next?.scrollIntoView({ block: 'nearest' });
}

field.addEventListener('input', show);
field.addEventListener('focus', () => {
  ready().catch(() => undefined);
  void show();
});
field.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown') move(1);
  else if (event.key === 'ArrowUp') move(-1);
  else if (event.key === 'Escape') results.hidden = true;
  else return;
  event.preventDefault();
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  (results.querySelector('.chosen') ?? results.querySelector('a'))?.click();
});
document.addEventListener('click', ({ target }) => {
  if (!form.contains(target) || target.closest('#results a')) results.hidden = true;
});
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || /^(?:INPUT|TEXTAREA)$/.test(document.activeElement?.tagName)) return;
  event.preventDefault();
  field.focus();
});

const menu = document.getElementById('menu');
const navigation = document.getElementById('navigation');
function openMenu(isOpen) {
  navigation.classList.toggle('open', isOpen);
  menu.setAttribute('aria-expanded', String(isOpen));
}
menu.addEventListener('click', () => openMenu(!navigation.classList.contains('open')));
// A link to a part of the same page loads nothing.
navigation.addEventListener('click', ({ target }) => {
  if (target.closest('a')) openMenu(false);
});
