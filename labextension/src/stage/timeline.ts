// Where a moment of the tape stands on the track, and back: idle time is folded into a fixed width.

import type { Track } from './wire';

export const IDLE = 44; // width of a folded gap

interface Piece {
  t0: number;
  t1: number;
  x0: number;
  x1: number;
  idle: boolean;
}

/** Where nothing happened: longer than two seconds and than three times the usual distance. */
function gapsOf(track: Track): [t0: number, t1: number][] {
  const beats = track.beats ?? [];
  const times = [...track.pubs, ...beats].map(([, t]) => t).concat(track.signs.map(({ t }) => t)).sort((a, b) => a - b);
  const steps = times.slice(1).map((t, i) => t - times[i]);
  const median = [...steps].sort((a, b) => a - b)[steps.length >> 1] ?? 0;
  const least = Math.max(2, 3 * median);
  const points = [track.t0, ...times, track.t1];
  return points
    .slice(1)
    .map((t, i): [number, number] => [points[i], t])
    .filter(([a, b]) => b - a > least);
}

export class Timeline {
  readonly pieces: Piece[] = [];
  private known: [t: number, n: number][];

  /** `unfolded`: starts of gaps that are shown to scale. */
  constructor(
    readonly track: Track,
    readonly width: number,
    unfolded: Set<number>
  ) {
    const end = Math.max(track.t1, track.t0 + 0.001);
    // Too many folds would leave no room for what happened: the longest stay folded.
    const gaps = gapsOf(track)
      .filter(([a]) => !unfolded.has(a))
      .sort((a, b) => b[1] - b[0] - (a[1] - a[0]))
      .slice(0, Math.max(0, Math.floor((width * 0.5) / IDLE)))
      .sort((a, b) => a[0] - b[0]);
    const idle = gaps.reduce((sum, [a, b]) => sum + b - a, 0);
    const scale = (width - gaps.length * IDLE) / Math.max(0.001, end - track.t0 - idle);
    let t0 = track.t0;
    let x0 = 0;
    const add = (t1: number, wide: number, folded: boolean): void => {
      this.pieces.push({ t0, t1, x0, x1: x0 + wide, idle: folded });
      t0 = t1;
      x0 += wide;
    };
    for (const [a, b] of gaps) {
      if (a > t0) {
        add(a, (a - t0) * scale, false);
      }
      add(Math.min(b, end), IDLE, true);
    }
    if (end > t0) {
      add(end, (end - t0) * scale, false);
    }
    this.known = [...track.pubs, ...(track.beats ?? [])].map(([n, t]): [number, number] => [t, n]);
    this.known.push(...track.signs.map(({ n, t }): [number, number] => [t, n]), [track.t1, track.head]);
    this.known.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  }

  x(t: number): number {
    for (const { t0, t1, x0, x1 } of this.pieces) {
      if (t <= t1) {
        return x0 + (x1 - x0) * Math.max(0, Math.min(1, (t - t0) / (t1 - t0 || 1)));
      }
    }
    return this.width;
  }

  t(x: number): number {
    for (const { t0, t1, x0, x1 } of this.pieces) {
      if (x <= x1) {
        return t0 + (t1 - t0) * Math.max(0, (x - x0) / (x1 - x0 || 1));
      }
    }
    return this.track.t1;
  }

  /** The newest event at this time; between two known ones, by proportion. */
  n(t: number): number {
    let [t0, n0] = [this.track.t0, this.track.n0 ?? 0];
    for (const [t1, n1] of this.known) {
      if (t1 > t) {
        return Math.max(0, Math.floor(n0 + Math.max(0, (t - t0) / (t1 - t0 || 1)) * (n1 - n0)));
      }
      if (n1 >= n0) {
        [t0, n0] = [t1, n1];
      }
    }
    return n0;
  }

  /** Where the next fold begins whose words a name at this place would touch. */
  foldAfter(x: number): number {
    return this.pieces.find(({ idle, x1 }) => idle && x1 > x)?.x0 ?? Infinity;
  }

  /** The fold at a place. */
  fold(x: number): Piece | undefined {
    return this.pieces.find(({ idle, x0, x1 }) => idle && x > x0 && x < x1);
  }
}
