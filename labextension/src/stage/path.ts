// Paths with absolute commands, as scene.py writes them.

import { short } from './dom';

export type Point = [x: number, y: number];

/** Where the stretch from a to b meets the one from c to d; null where it does not. */
export function meeting([ax, ay]: Point, [bx, by]: Point, [cx, cy]: Point, [dx, dy]: Point): Point | null {
  const across = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx);
  if (!across) {
    return null; // they go the same way
  }
  const t = ((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / across;
  const u = ((cx - ax) * (by - ay) - (cy - ay) * (bx - ax)) / across;
  return t >= 0 && t <= 1 && u >= 0 && u <= 1 ? [ax + t * (bx - ax), ay + t * (by - ay)] : null;
}

const NUMBER = /-?\d*\.?\d+(?:e-?\d+)?/g;
const SIZES: Record<string, number> = { M: 2, L: 2, H: 1, V: 1, A: 7, C: 6, S: 4, Q: 4, T: 2, Z: 0 };

function numbers(text: string): number[] {
  return (text.match(NUMBER) ?? []).map(Number);
}

/** Paths of equal shape have the same commands, and the same flags in their arcs. */
function shape(d: string): string {
  return d.replace(/([A-Za-z])([^A-Za-z]*)/g, (_, command: string, rest: string) => {
    const values = numbers(rest);
    const flags = command === 'A' ? values.filter((__, i) => i % 7 === 3 || i % 7 === 4).join('') : '';
    return command + values.length + flags + ' ';
  });
}

/** A way from one path to another, or null when they are of different shape. */
export function morph(from: string, to: string): ((u: number) => string) | null {
  if (shape(from) !== shape(to)) {
    return null;
  }
  const a = numbers(from);
  const b = numbers(to);
  // A number may lose its sign on the way, and with it what parted it from the one before.
  const between = to.split(NUMBER).map((text, i) => text || (i ? ' ' : ''));
  return u => between.map((text, i) => text + (i < b.length ? short(a[i] + (b[i] - a[i]) * u) : '')).join('');
}

/** The points of a path; a curve's are its ends. */
function points(d: string): [number, number][] {
  const found: [number, number][] = [];
  let x = 0;
  let y = 0;
  for (const [, command, rest] of d.matchAll(/([MLHVACSQTZ])([^MLHVACSQTZ]*)/g)) {
    const size = SIZES[command];
    const v = numbers(rest);
    for (let i = 0; size && i + size <= v.length; i += size) {
      if (command === 'H') {
        x = v[i];
      } else if (command === 'V') {
        y = v[i];
      } else {
        x = v[i + size - 2];
        y = v[i + size - 1];
      }
      found.push([x, y]);
    }
  }
  return found;
}

/** An open arrow head at the end of a path. */
export function arrowHead(d: string): string {
  const all = points(d);
  if (all.length < 2) {
    return '';
  }
  const [x0, y0] = all[all.length - 2];
  const [x1, y1] = all[all.length - 1];
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const ux = (x1 - x0) / length;
  const uy = (y1 - y0) / length;
  const at = (side: number): string =>
    `${(x1 - 8 * ux - side * uy).toFixed(2)} ${(y1 - 8 * uy + side * ux).toFixed(2)}`;
  return `M${at(4.5)}L${x1} ${y1}L${at(-4.5)}`;
}
