// The page of questions: Ctrl+Enter runs, the place of a mistake is selected, a click on a heading sorts the answer.

const text = document.getElementById('sql');
const form = document.getElementById('question');

text?.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        form.requestSubmit(form.querySelector('[data-run]'));
    }
});

function showPlace() {
    const lines = text.value.split('\n').slice(0, Number(text.dataset.line) - 1);
    const start = lines.reduce((sum, line) => sum + line.length + 1, 0) + Number(text.dataset.column) - 1;
    const word = /^\w+|^\S/.exec(text.value.slice(start));
    text.focus();
    text.setSelectionRange(start, start + (word ? word[0].length : 0));
}

if (text?.dataset.line) showPlace();

function compare(one, other) {
    const [a, b] = [Number(one), Number(other)];
    const areNumbers = one !== '' && other !== '' && !Number.isNaN(a) && !Number.isNaN(b);
    return areNumbers ? a - b : one.localeCompare(other);
}

function sort(table, heading, index) {
    const isUp = heading.getAttribute('aria-sort') !== 'ascending';
    for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
    heading.setAttribute('aria-sort', isUp ? 'ascending' : 'descending');
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compare(a.cells[index].textContent, b.cells[index].textContent) * (isUp ? 1 : -1));
    table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll('[data-sorts]')) {
    [...table.tHead.rows[0].cells].forEach((heading, index) => {
        const button = document.createElement('button');
        button.type = 'button';
        button.className = 'question-sort';
        button.textContent = heading.textContent;
        button.addEventListener('click', () => sort(table, heading, index));
        heading.replaceChildren(button);
    });
}
