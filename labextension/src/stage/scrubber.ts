// Navigation and summary at once: the tape with what happened on it, the mode, and the speed.

import { h, icon, plain, s, say, short } from './dom';
import type { Cursor, Mode, Sign, ToKernel, Track } from './wire';

export const SPEEDS = [1, 1 / 2, 1 / 5, 1 / 10, 1 / 20, 1 / 50, 1 / 100, 1 / 200, 1 / 500, 1 / 1000];

const LINE = 50; // baseline of the track
const IDLE = 44; // width of a collapsed gap
const PLAY = 'M5.5 2.8V13.2L14 8Z';
const PAUSE = 'M4.5 3v10M11.5 3v10';
const REWIND = 'M6.2 1.5V8.5L0.8 5ZM11.7 1.5V8.5L6.3 5Z';
const WORDS: Record<Mode, string> = { live: 'LIVE', paused: 'PAUSED', replay: 'REPLAY' };

/** Tape time as mm:ss.mmm. */
export function clockTime(t: number): string {
  const ms = Math.max(0, Math.round(t * 1000));
  const two = (n: number): string => String(n).padStart(2, '0');
  const rest = String(ms % 1000).padStart(3, '0');
  return `${two(Math.floor(ms / 60000))}:${two(Math.floor(ms / 1000) % 60)}.${rest}`;
}

/** A length of time in words, as long as it needs to be. */
export function duration(seconds: number): string {
  if (seconds >= 120) {
    return `${Math.round(seconds / 60)} min`;
  }
  return seconds >= 10 ? `${Math.round(seconds)} s` : `${seconds.toFixed(1)} s`;
}

function speedWords(speed: number): string {
  return speed >= 1 ? `${short(speed)}×` : `1/${Math.round(1 / speed)}×`;
}

/** Where nothing happened: longer than two seconds and than three times the usual distance. */
function idleGaps(track: Track): [number, number][] {
  const times = [...track.pubs.map(([, t]) => t), ...track.signs.map(({ t }) => t)].sort((a, b) => a - b);
  const steps = times.slice(1).map((t, i) => t - times[i]);
  const median = [...steps].sort((a, b) => a - b)[steps.length >> 1] ?? 0;
  const least = Math.max(2, 3 * median);
  const points = [track.t0, ...times, track.t1];
  return points
    .slice(1)
    .map((t, i): [number, number] => [points[i], t])
    .filter(([a, b]) => b - a > least);
}

interface Piece {
  t0: number;
  t1: number;
  x0: number;
  x1: number;
  idle: boolean;
}

export class Scrubber {
  readonly el: HTMLElement;
  /** Where a pointer on the track asks for a bubble: text and the x and y of its tip on the page. */
  onBubble: (text: string, x: number, y: number) => void = () => undefined;
  onBubbleEnd: () => void = () => undefined;
  cursor: Cursor | null = null;

  private playing = h('button', { type: 'button', class: 'nl-play' });
  private pill = h('button', { type: 'button', class: 'nl-pill' });
  private pillWord = h('span');
  private time = h('span', { class: 'nl-time' });
  private behind = h('span', { class: 'nl-behind' });
  private svg = s('svg', { class: 'nl-track-picture', 'aria-hidden': 'true', focusable: 'false' });
  private painted = s('g');
  private playhead = s('g', { class: 'nl-playhead' });
  private clip = s('g');
  private slider = h('div', {
    class: 'nl-track',
    role: 'slider',
    tabindex: 0,
    'aria-label': 'Tape',
    'aria-valuemin': 0,
    'data-at': 'track'
  });
  private slower = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'slower' }, '[');
  private faster = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'faster' }, ']');
  private speed = h('span', { class: 'nl-speed' }, '1×');
  private track: Track | null = null;
  private pieces: Piece[] = [];
  private known: [t: number, n: number][] = [];
  private opened = new Set<number>(); // gaps shown to scale, by their start
  private width = 560;
  private held: number | null = null; // tape time under a dragging pointer
  private shown = Infinity; // up to where the track is painted as past
  private asked = 0;
  private sought = -1; // what this drag asked for last
  private later = 0;

  constructor(
    private send: (message: ToKernel) => void,
    signal: AbortSignal
  ) {
    this.pill.append(h('span', { class: 'nl-pill-sign' }), this.pillWord);
    this.svg.append(this.clip, this.painted, this.playhead);
    this.playhead.append(
      s('path', { d: 'M0 18V54', class: 'edge ink', 'stroke-width': 2 }),
      s('path', { d: 'M-5 15h10v6l-5 5l-5 -5z', class: 'fill edge ink round' })
    );
    this.slider.append(this.svg);
    this.el = h(
      'div',
      { class: 'nl-scrubber' },
      this.playing,
      h('div', { class: 'nl-where' }, this.pill, h('span', { class: 'nl-times' }, this.time, this.behind)),
      this.slider,
      h('div', { class: 'nl-speeds' }, this.slower, this.speed, this.faster)
    );
    const on = { signal };
    this.playing.addEventListener('click', () => this.toggle(), on);
    this.pill.addEventListener('click', () => this.live(), on);
    this.slower.addEventListener('click', () => this.pace(1), on);
    this.faster.addEventListener('click', () => this.pace(-1), on);
    this.slider.addEventListener('pointerdown', event => this.grab(event), on);
    this.slider.addEventListener('pointermove', event => this.move(event), on);
    this.slider.addEventListener('pointerup', event => this.drop(event), on);
    this.slider.addEventListener('pointercancel', event => this.drop(event), on);
    this.slider.addEventListener('pointerleave', () => this.onBubbleEnd(), on);
    signal.addEventListener('abort', () => clearTimeout(this.later), { once: true });
    this.paint();
  }

  /** Pause, or go on from where the view stands. */
  toggle(): void {
    const mode = this.cursor?.mode ?? 'live';
    if (mode !== 'paused') {
      this.send({ op: 'mode', mode: 'paused' });
    } else {
      const { n, head } = this.cursor ?? { n: 0, head: 0 };
      this.send({ op: 'mode', mode: n < head ? 'replay' : 'live' });
    }
  }

  live(): void {
    if (this.cursor?.mode !== 'live') {
      this.send({ op: 'mode', mode: 'live' });
    }
  }

  /** One notch slower (1) or faster (-1). */
  pace(by: 1 | -1): void {
    const now = this.cursor?.speed ?? 1;
    const near = SPEEDS.reduce((a, b) => (Math.abs(Math.log(b / now)) < Math.abs(Math.log(a / now)) ? b : a));
    const next = SPEEDS[SPEEDS.indexOf(near) + by];
    if (next !== undefined) {
      this.send({ op: 'speed', speed: next });
    }
  }

  /** Seconds between the shown time and now. */
  get lag(): number {
    return this.behindAt(this.cursor?.t ?? 0);
  }

  private behindAt(t: number): number {
    return this.cursor ? Math.max(0, Math.max(this.cursor.now, this.track?.t1 ?? 0) - t) : 0;
  }

  show(cursor: Cursor): void {
    this.cursor = cursor;
    const { mode, t, speed } = cursor;
    const pauses = mode !== 'paused';
    if (this.playing.dataset.does !== String(pauses)) {
      this.playing.dataset.does = String(pauses);
      const style = pauses ? { 'stroke-width': 2.5 } : { class: 'nl-solid' };
      this.playing.replaceChildren(icon(pauses ? PAUSE : PLAY, 16, style));
      this.playing.setAttribute('aria-label', pauses ? 'pause' : 'go on');
    }
    if (this.pill.dataset.mode !== mode) {
      this.pill.dataset.mode = mode;
      say(this.pillWord, WORDS[mode]);
      const sign = this.pill.firstElementChild as HTMLElement;
      sign.replaceChildren(
        ...(mode === 'paused' ? [icon('M2 1.5v7M6.5 1.5v7', 10, { 'stroke-width': 2 })] : []),
        ...(mode === 'replay' ? [icon(REWIND, 12, { class: 'nl-solid' })] : [])
      );
      this.pill.title = mode === 'live' ? 'The newest state' : 'Back to live (L)';
      this.pill.setAttribute('aria-label', mode === 'live' ? 'live' : `${mode}: back to live`);
    }
    say(this.speed, speedWords(speed));
    // Time goes on without events; the track follows now and then.
    if (this.track && this.held === null && cursor.now > this.track.t1 + 0.5) {
      this.track.t1 = cursor.now;
      this.layout();
    } else {
      this.place();
    }
    if (mode !== 'live' || !this.track) {
      this.slider.setAttribute('aria-valuenow', String(cursor.n));
      this.slider.setAttribute('aria-valuetext', `${clockTime(t)}, event ${cursor.n} of ${cursor.head}`);
    }
    this.slider.setAttribute('aria-valuemax', String(cursor.head));
  }

  draw(track: Track): void {
    this.track = track;
    this.layout();
  }

  /** The room for the track, in px at 100 %. */
  resize(width: number): void {
    if (Math.abs(width - this.width) > 0.5) {
      this.width = width;
      this.layout();
    }
  }

  // --- time and place ---

  private layout(): void {
    const { track, width } = this;
    this.svg.setAttribute('viewBox', `0 0 ${short(width)} 68`);
    this.pieces = [];
    this.known = [];
    if (track) {
      const end = Math.max(track.t1, track.t0 + 0.001);
      // Too many gaps would leave no room for what happened: the longest stay collapsed.
      const room = Math.max(0, Math.floor((width * 0.5) / IDLE));
      const gaps = idleGaps(track)
        .filter(([a]) => !this.opened.has(a))
        .sort((a, b) => b[1] - b[0] - (a[1] - a[0]))
        .slice(0, room)
        .sort((a, b) => a[0] - b[0]);
      const idle = gaps.reduce((sum, [a, b]) => sum + b - a, 0);
      const scale = (width - gaps.length * IDLE) / Math.max(0.001, end - track.t0 - idle);
      let t = track.t0;
      let x = 0;
      const add = (t1: number, wide: number, hidden: boolean): void => {
        this.pieces.push({ t0: t, t1, x0: x, x1: x + wide, idle: hidden });
        t = t1;
        x += wide;
      };
      for (const [a, b] of gaps) {
        if (a > t) {
          add(a, (a - t) * scale, false);
        }
        add(Math.min(b, end), IDLE, true);
      }
      if (end > t) {
        add(end, (end - t) * scale, false);
      }
      this.known = [...track.pubs.map(([n, at]): [number, number] => [at, n])];
      this.known.push(...track.signs.map(({ n, t: at }): [number, number] => [at, n]), [track.t1, track.head]);
      this.known.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    }
    this.paint();
    this.place();
  }

  private xOf(t: number): number {
    for (const { t0, t1, x0, x1 } of this.pieces) {
      if (t <= t1) {
        return x0 + (x1 - x0) * Math.max(0, Math.min(1, (t - t0) / (t1 - t0 || 1)));
      }
    }
    return this.width;
  }

  private tOf(x: number): number {
    for (const { t0, t1, x0, x1 } of this.pieces) {
      if (x <= x1) {
        return t0 + (t1 - t0) * Math.max(0, (x - x0) / (x1 - x0 || 1));
      }
    }
    return this.track?.t1 ?? 0;
  }

  /** The newest event at this time; between two known ones, by proportion. */
  private nOf(t: number): number {
    const { known } = this;
    let before: [number, number] = [this.track?.t0 ?? 0, 0];
    for (const point of known) {
      if (point[0] > t) {
        const u = (t - before[0]) / (point[0] - before[0] || 1);
        return Math.max(0, Math.floor(before[1] + Math.max(0, u) * (point[1] - before[1])));
      }
      before = point[1] >= before[1] ? point : before;
    }
    return before[1];
  }

  // --- drawing ---

  private paint(): void {
    const { track, width } = this;
    const parts: SVGElement[] = [s('path', { d: `M0 ${LINE}.5H${short(width)}`, class: 'edge line' })];
    if (track) {
      const signs = this.apart(track.signs);
      const stems = signs.map(({ x }) => x);
      parts.push(...this.bars(track, stems), ...this.zigzags());
      signs.forEach(({ sign, x }, i) => parts.push(...this.sign(sign, x, signs[i + 1]?.x ?? width + 40)));
    }
    this.painted.replaceChildren(...parts);
    this.shown = Infinity;
  }

  /** Signs that would stand on each other: the newest is drawn, its text says it. */
  private apart(signs: Sign[]): { sign: Sign; x: number }[] {
    const placed: { sign: Sign; x: number }[] = [];
    for (const sign of signs) {
      const x = this.xOf(sign.t);
      const last = placed[placed.length - 1];
      if (last && x - last.x < 13) {
        last.sign = sign;
      } else {
        placed.push({ sign, x });
      }
    }
    return placed;
  }

  private bars(track: Track, stems: number[]): SVGElement[] {
    const counts = new Map<number, { x: number; t: number; count: number }>();
    for (const [, t, count] of track.pubs) {
      const x = Math.round(this.xOf(t) / 4) * 4;
      const bar = counts.get(x);
      if (bar) {
        bar.count += count;
      } else {
        counts.set(x, { x, t, count });
      }
    }
    return [...counts.values()]
      .filter(({ x }) => stems.every(stem => Math.abs(stem - x) >= 5))
      .map(({ x, t, count }) => {
        const tall = Math.min(14, 3 + 2.75 * Math.log10(Math.max(1, count)) * 1.35);
        return s('rect', {
          x: short(x - 1),
          y: short(LINE - tall),
          width: 2,
          height: short(tall),
          class: 'fill ink3',
          'data-t': t
        });
      });
  }

  private zigzags(): SVGElement[] {
    const parts: SVGElement[] = [];
    for (const { t0, t1, x0, idle } of this.pieces) {
      if (idle) {
        parts.push(
          s(
            'g',
            { class: 'nl-idle', 'data-gap': t0, transform: `translate(${short(x0)} 0)` },
            s('rect', { x: 0, y: 28, width: IDLE, height: 32, class: 'nl-hit' }),
            s('rect', { x: 0, y: LINE - 2, width: IDLE, height: 5, class: 'fill panel' }),
            s('path', { d: `M0 ${LINE}.5l4 -4l6 8l6 -8l6 8l6 -8l6 8l6 -8l4 4`, class: 'edge ink3 round' }),
            s('text', { x: IDLE / 2, y: 41, class: 't11 middle nl-ink3' }, duration(t1 - t0))
          )
        );
      }
    }
    return parts;
  }

  private sign({ glyph, text, t }: Sign, x: number, next: number): SVGElement[] {
    const at = { class: 'edge ink2 round', 'stroke-width': 1.5 };
    const drawn: Record<string, () => SVGElement> = {
      '✓': () => s('path', { d: 'M-4 26l2.8 3l5 -6', ...at }),
      '✕': () => s('path', { d: 'M-3.2 22.8l6.4 6.4m0 -6.4l-6.4 6.4', ...at }),
      '↑': () => s('path', { d: 'M0 30v-8m-3.2 3.2l3.2 -3.2l3.2 3.2', ...at }),
      '‖': () => s('path', { d: 'M-2 22.5v7m4 -7v7', ...at, 'stroke-width': 2 }),
      '▶': () => s('path', { d: 'M-2.6 22.4V29.6L3.6 26Z', class: 'fill ink2' }),
      '◎': () => s('path', { d: 'M-4.2 26a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0 -8.4 0M-2 26a2 2 0 1 0 4 0a2 2 0 1 0 -4 0', class: 'edge ink2' })
    };
    const make = drawn[glyph] ?? (() => s('text', { y: 30, class: 't12 w6 middle nl-ink2' }, plain(glyph.slice(0, 2))));
    const parts: SVGElement[] = [make(), s('path', { d: `M0 33V${LINE}`, class: 'edge line' })];
    const room = Math.floor((Math.min(next, this.width + 12) - x - 16) / 6.4);
    if (text && room >= Math.min(2, text.length)) {
      const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text;
      parts.push(s('text', { x: 8, y: 30, class: 't11 nl-ink3' }, plain(shown)));
    }
    return [s('g', { class: 'nl-sign', 'data-t': t, transform: `translate(${short(x)} 0)` }, ...parts)];
  }

  /** Playhead and clock; what came since the shown time is faint. */
  private place(): void {
    const { cursor } = this;
    if (!cursor) {
      return;
    }
    const live = cursor.mode === 'live' && this.held === null;
    const t = this.held ?? cursor.t;
    const x = live ? this.width : this.xOf(t);
    this.playhead.setAttribute('transform', `translate(${short(x)} 0)`);
    say(this.time, clockTime(t));
    const lag = this.behindAt(t);
    say(this.behind, !live && lag >= 0.05 ? `\u2212${lag >= 120 ? duration(lag) : `${lag.toFixed(1)} s`}` : '');
    const shown = live ? Infinity : t + 1e-6;
    if (shown !== this.shown) {
      this.shown = shown;
      for (const part of this.painted.querySelectorAll('[data-t]')) {
        part.classList.toggle('later', Number(part.getAttribute('data-t')) > shown);
      }
    }
  }

  // --- the pointer ---

  private pointer(event: PointerEvent): number {
    const box = this.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / (box.width || 1)) * this.width;
    return Math.max(0, Math.min(this.width, x));
  }

  private grab(event: PointerEvent): void {
    if (event.button !== 0 || !this.track) {
      return;
    }
    const gap = (event.target as Element).closest?.('.nl-idle');
    if (gap) {
      this.opened.add(Number(gap.getAttribute('data-gap')));
      this.layout();
      return;
    }
    this.slider.setPointerCapture(event.pointerId);
    this.held = this.tOf(this.pointer(event));
    this.sought = -1;
    this.seek();
    this.place();
  }

  private move(event: PointerEvent): void {
    if (!this.track) {
      return;
    }
    const x = this.pointer(event);
    const t = this.tOf(x);
    const box = this.svg.getBoundingClientRect();
    this.onBubble(this.what(t, x), box.left + (x / this.width) * box.width, box.top + box.height * 0.2);
    if (this.held !== null) {
      this.held = t;
      this.seek();
      this.place();
    }
  }

  private drop(event: PointerEvent): void {
    if (this.held === null) {
      return;
    }
    this.held = this.tOf(this.pointer(event));
    this.place();
    this.seek(true);
    this.held = null;
  }

  /** At most 20 a second while dragging; where it ends always counts. */
  private seek(last = false): void {
    const wait = this.asked + 50 - performance.now();
    clearTimeout(this.later);
    if (wait > 0 && !last) {
      this.later = window.setTimeout(() => this.held !== null && this.seek(), wait);
      return;
    }
    const n = this.held === null ? -1 : this.nOf(this.held);
    if (n >= 0 && n !== this.sought) {
      this.asked = performance.now();
      this.sought = n;
      this.send({ op: 'seek', n });
    }
  }

  /** The time, and what happened there. */
  private what(t: number, x: number): string {
    const { track } = this;
    if (!track) {
      return '';
    }
    const idle = this.pieces.find(piece => piece.idle && x > piece.x0 && x < piece.x1);
    if (idle) {
      return `nothing for ${duration(idle.t1 - idle.t0)}; click to see it to scale`;
    }
    const sign = track.signs.find(one => Math.abs(this.xOf(one.t) - x) < 6);
    if (sign) {
      return `${clockTime(sign.t)}  ${sign.glyph} ${plain(sign.text ?? '')}`.trim();
    }
    const near = track.pubs.filter(([, at]) => Math.abs(this.xOf(at) - x) < 3);
    const count = near.reduce((sum, [, , many]) => sum + many, 0);
    return clockTime(t) + (count ? `  ${count} message${count === 1 ? '' : 's'}` : '');
  }
}
