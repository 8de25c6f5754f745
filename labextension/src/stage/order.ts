// Rows in the order of one column: numbers by what they are, text as people count, and what is missing last.

const NUMBER = /^[-\u2212+]?\d[\d ]*(?:\.\d+)?(?: ?(%|ms|s|µs|B|KB|MB))?$/;
const UNITS: Record<string, number> = { µs: 1e-6, ms: 1e-3, s: 1, B: 1, KB: 1e3, MB: 1e6 };
const text = new Intl.Collator(undefined, { numeric: true });

/** By which column, and whether the largest comes first. */
export interface Order {
  column: number;
  falling: boolean;
}

function missing(cell: string): boolean {
  return cell === '' || cell === '-' || cell === '–';
}

function value(cell: string): number {
  const unit = NUMBER.exec(cell)?.[1] ?? '';
  return parseFloat(cell.replace('\u2212', '-').replace(/ /g, '')) * (UNITS[unit] ?? 1);
}

/** Whether every row has a number in this column, or nothing. */
export function numeric(rows: string[][], column: number): boolean {
  return rows.length > 0 && rows.every(row => missing(row[column] ?? '') || NUMBER.test(row[column]));
}

/** What the next click on the head of a column asks for: numbers from the largest, text from the first, then turned round, then not. */
export function next(now: Order | null, column: number, numbers: boolean): Order | null {
  if (now?.column !== column) {
    return { column, falling: numbers };
  }
  return now.falling === numbers ? { column, falling: !numbers } : null;
}

/**
 * The numbers of the rows in that order. Rows that stand `apart` stay at the top, or at the end, where
 * they are; rows that do not differ stay in their order too.
 */
export function sorted(rows: string[][], order: Order | null, apart: (i: number) => boolean): number[] {
  const all = rows.map((_, i) => i);
  if (!order) {
    return all;
  }
  const { column, falling } = order;
  const numbers = numeric(rows, column);
  const first = all.find(i => !apart(i)) ?? all.length;
  const [top, end] = [all.filter(i => apart(i) && i < first), all.filter(i => apart(i) && i >= first)];
  const compare = (i: number, j: number): number => {
    const [a, b] = [rows[i][column] ?? '', rows[j][column] ?? ''];
    if (missing(a) || missing(b)) {
      return Number(missing(a)) - Number(missing(b));
    }
    const way = numbers ? value(a) - value(b) : text.compare(a, b);
    return falling ? -way : way;
  };
  return [...top, ...all.filter(i => !apart(i)).sort(compare), ...end];
}
