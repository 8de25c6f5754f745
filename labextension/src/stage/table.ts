// The same facts in words: a real table, each row tied to the mark of its key.

import { h, plain, say } from './dom';
import { CODE } from './inspector';
import type { TableData } from './wire';

const NUMBER = /^[-\u2212+]?[\d.,]+(?: ?(?:%|ms|s|µs|B|KB|MB))?$/;

export class Table {
  readonly el: HTMLElement;
  /** A row was pointed at ('' when none is). */
  onHover: (key: string) => void = () => undefined;
  onOpen: (key: string) => void = () => undefined;

  private head = h('tr');
  private body = h('tbody');
  private caption = h('caption');
  private columns = '';
  private rows = new Map<string, HTMLTableRowElement>();
  private lit = '';

  constructor(signal: AbortSignal) {
    const table = h('table', {}, this.caption, h('thead', {}, this.head), this.body);
    this.el = h('div', { class: 'nl-table', hidden: true, tabindex: 0, role: 'region', 'aria-label': 'Table' }, table);
    const key = (event: Event): string =>
      (event.target as Element).closest<HTMLElement>('tbody tr')?.dataset.key ?? '';
    this.body.addEventListener('pointerover', event => this.onHover(key(event)), { signal });
    this.body.addEventListener('pointerleave', () => this.onHover(''), { signal });
    this.body.addEventListener('click', event => this.onOpen(key(event)), { signal });
  }

  show({ columns, rows, keys }: TableData): void {
    const names = JSON.stringify(columns);
    if (names !== this.columns) {
      this.columns = names;
      this.head.replaceChildren(...columns.map(name => h('th', { scope: 'col' }, plain(name))));
      this.body.replaceChildren();
      this.rows.clear();
    }
    const numeric = columns.map((_, i) => i > 0 && rows.length > 0 && rows.every(row => !row[i] || row[i] === '-' || NUMBER.test(row[i])));
    [...this.head.children].forEach((th, i) => th.classList.toggle('nl-number', numeric[i]));
    say(this.caption, `${rows.length} row${rows.length === 1 ? '' : 's'}`);
    const keep = new Map<string, HTMLTableRowElement>();
    let place = this.body.firstElementChild;
    rows.forEach((cells, i) => {
      const key = String(keys[i] ?? i);
      const name = keep.has(key) ? `${key}\u0000${i}` : key;
      const tr = this.rows.get(name) ?? h('tr', {}, ...columns.map(() => h('td')));
      tr.dataset.key = key;
      columns.forEach((_, c) => {
        say(tr.cells[c], plain(String(cells[c] ?? '')));
        tr.cells[c].classList.toggle('nl-number', numeric[c]);
        tr.cells[c].classList.toggle('nl-mono', CODE.test(columns[c]));
      });
      keep.set(name, tr);
      if (tr === place) {
        place = place.nextElementSibling;
      } else {
        this.body.insertBefore(tr, place);
      }
    });
    for (const [name, tr] of this.rows) {
      if (keep.get(name) !== tr) {
        tr.remove();
      }
    }
    this.rows = keep;
    this.light(this.lit);
  }

  /** The row of the mark that is pointed at. */
  light(key: string): void {
    this.lit = key;
    for (const tr of this.rows.values()) {
      const on = key !== '' && tr.dataset.key === key;
      tr.classList.toggle('nl-lit', on);
      if (on && !this.el.hidden && !this.body.matches(':hover')) {
        // Only this panel may scroll, never the page.
        const top = tr.offsetTop - 30;
        if (top < this.el.scrollTop || tr.offsetTop + tr.offsetHeight > this.el.scrollTop + this.el.clientHeight) {
          this.el.scrollTop = top;
        }
      }
    }
  }
}
