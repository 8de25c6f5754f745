// A path as something that travels along it needs it: its length, and where it is after so much of it.

import { s } from './dom';

const STEP = 4; // units between two points that are asked of the browser
const MOST = 200; // points of one way
const KEPT = 200; // ways that are remembered

const known = new Map<string, Way>();

/**
 * The browser is asked once for each path and not once a frame: every answer makes it lay out all
 * that was changed before (measured: a fifth of the time of a busy picture).
 */
export class Way {
  readonly length: number;
  private points: [number, number][] = [];

  private constructor(d: string) {
    const path = s('path', { d });
    this.length = path.getTotalLength();
    const parts = Math.min(MOST, Math.max(1, Math.ceil(this.length / STEP)));
    for (let i = 0; i <= parts; i++) {
      const { x, y } = path.getPointAtLength((this.length * i) / parts);
      this.points.push([x, y]);
    }
  }

  static along(d: string): Way {
    let way = known.get(d);
    if (!way) {
      way = new Way(d);
      if (known.size >= KEPT) {
        known.delete(known.keys().next().value ?? '');
      }
      known.set(d, way);
    }
    return way;
  }

  /** The place after `gone` units. */
  at(gone: number): [number, number] {
    const last = this.points.length - 1;
    const part = this.length ? Math.min(1, Math.max(0, gone / this.length)) * last : 0;
    const i = Math.min(Math.floor(part), last - 1);
    const [x0, y0] = this.points[i];
    const [x1, y1] = this.points[i + 1];
    return [x0 + (x1 - x0) * (part - i), y0 + (y1 - y0) * (part - i)];
  }
}
