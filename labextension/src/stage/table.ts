// The same facts in words: a real table, each row tied to the mark of its key.

import { attr, h, plain, say } from './dom';
import { CODE } from './inspector';
import { next, numeric, sorted, type Order } from './order';
import type { TableData } from './wire';

export class Table {
  readonly el: HTMLElement;
  /** A row was pointed at ('' when none is). */
  onHover: (key: string) => void = () => undefined;
  onOpen: (key: string) => void = () => undefined;

  private head = h('tr');
  private body = h('tbody');
  private caption = h('caption');
  private columns = '';
  private shown: TableData = { columns: [], rows: [], keys: [] };
  private order: Order | null = null; // null: as the view has it
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
    this.head.addEventListener('click', event => this.sort((event.target as Element).closest('th')), { signal });
  }

  /** A click on the head of a column: by this column, the other way round, then as the view has it. */
  private sort(head: HTMLTableCellElement | null): void {
    if (head) {
      this.order = next(this.order, head.cellIndex, numeric(this.shown.rows, head.cellIndex));
      this.show(this.shown);
    }
  }

  show(told: TableData): void {
    this.shown = told;
    const { columns } = told;
    const names = JSON.stringify(columns);
    if (names !== this.columns) {
      this.columns = names;
      this.order = null;
      this.head.replaceChildren(...columns.map(name => h('th', { scope: 'col' }, h('button', { type: 'button' }, plain(name)))));
      this.body.replaceChildren();
      this.rows.clear();
    }
    const apart = new Set(told.apart);
    const order = sorted(told.rows, this.order, i => apart.has(told.keys[i]));
    const [rows, keys] = [order.map(i => told.rows[i]), order.map(i => told.keys[i])];
    const numbers = columns.map((_, i) => i > 0 && numeric(rows, i));
    [...this.head.children].forEach((th, i) => {
      th.classList.toggle('nl-number', numbers[i]);
      attr(th, 'aria-sort', this.order?.column !== i ? '' : this.order.falling ? 'descending' : 'ascending');
    });
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
        tr.cells[c].classList.toggle('nl-number', numbers[c]);
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
