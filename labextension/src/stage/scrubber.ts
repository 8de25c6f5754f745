// Navigation and summary at once: the tape with what happened on it, the mode, and the speed.

import { h, icon, plain, s, say, short } from './dom';
import { Timeline } from './timeline';
import { bandAt, baseline, duration, paint } from './track';
import type { Burst, Cursor, Mode, ToKernel, Track } from './wire';

export const SPEEDS = [1, 1 / 2, 1 / 5, 1 / 10, 1 / 20, 1 / 50, 1 / 100, 1 / 200, 1 / 500, 1 / 1000];

const PLAY = 'M5.5 2.8V13.2L14 8Z';
const PAUSE = 'M4.5 3v10M11.5 3v10';
const REWIND = 'M6.2 1.5V8.5L0.8 5ZM11.7 1.5V8.5L6.3 5Z';
type Pill = Mode | 'ended' | 'recorded';
const WORDS: Record<Pill, string> = { live: 'LIVE', paused: 'PAUSED', replay: 'REPLAY', ended: 'ENDED', recorded: 'RECORDED' };

/** Tape time as mm:ss.mmm. */
export function clockTime(t: number): string {
  const ms = Math.max(0, Math.round(t * 1000));
  const two = (n: number): string => String(n).padStart(2, '0');
  const rest = String(ms % 1000).padStart(3, '0');
  return `${two(Math.floor(ms / 60000))}:${two(Math.floor(ms / 1000) % 60)}.${rest}`;
}

function speedWords(speed: number): string {
  return speed >= 1 ? `${short(speed)}×` : `1/${Math.round(1 / speed)}×`;
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
  private slider = h('div', {
    class: 'nl-track',
    role: 'slider',
    tabindex: 0,
    'aria-label': 'Tape',
    'aria-valuemin': 0
  });
  private slower = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'slower' }, '[');
  private faster = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'faster' }, ']');
  private speed = h('span', { class: 'nl-speed' }, '1×');
  private slow = h('button', { type: 'button', class: 'nl-slow', hidden: true }, 'slow motion ', h('kbd', { class: 'nl-key' }, 'B'));
  private track: Track | null = null;
  private timeline: Timeline | null = null;
  private unfolded = new Set<number>(); // gaps shown to scale, by their start
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
    this.svg.append(this.painted, this.playhead);
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
      h('div', { class: 'nl-paces' }, h('div', { class: 'nl-speeds' }, this.slower, this.speed, this.faster), this.slow)
    );
    const on = { signal };
    this.playing.addEventListener('click', () => this.toggle(), on);
    this.pill.addEventListener('click', () => this.live(), on);
    this.slower.addEventListener('click', () => this.pace(1), on);
    this.faster.addEventListener('click', () => this.pace(-1), on);
    this.slow.addEventListener('click', () => this.slowMotion(), on);
    this.slider.addEventListener('pointerdown', event => this.grab(event), on);
    this.slider.addEventListener('pointermove', event => this.move(event), on);
    this.slider.addEventListener('pointerup', event => this.drop(event), on);
    this.slider.addEventListener('pointercancel', event => this.drop(event), on);
    this.slider.addEventListener('pointerleave', () => this.onBubbleEnd(), on);
    signal.addEventListener('abort', () => clearTimeout(this.later), { once: true });
    this.layout();
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

  /** Show again, slowly, what was over too soon to be seen. */
  slowMotion(): void {
    if (!this.slow.hidden) {
      this.send({ op: 'slow', auto: false });
    }
  }

  /** What slow motion would show; null: there is nothing. */
  offer(burst: Burst | null): void {
    this.slow.hidden = !burst || this.cursor?.recorded === true;
    if (burst) {
      this.slow.title = `Slow motion of ${plain(burst.words)}`;
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
    const end = cursor.recorded ? 'recorded' : cursor.over ? 'ended' : 'live';
    const shown: Pill = mode === 'live' ? end : mode;
    if (this.pill.dataset.mode !== shown) {
      this.pill.dataset.mode = shown;
      say(this.pillWord, WORDS[shown]);
      const sign = this.pill.firstElementChild as HTMLElement;
      sign.replaceChildren(
        ...(mode === 'paused' ? [icon('M2 1.5v7M6.5 1.5v7', 10, { 'stroke-width': 2 })] : []),
        ...(mode === 'replay' ? [icon(REWIND, 12, { class: 'nl-solid' })] : [])
      );
      const here = {
        live: 'The newest state',
        ended: 'The lab of this view has ended',
        recorded: 'The end of a recording'
      }[shown as string];
      const back = end === 'live' ? 'back to live' : 'to the end';
      this.pill.title = here ?? `${back[0].toUpperCase()}${back.slice(1)} (L)`;
      this.pill.setAttribute('aria-label', here ? shown : `${mode}: ${back}`);
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

  /** The frame changed its size; `unit` px are one px at 100 %. */
  resize(unit: number): void {
    const width = this.slider.clientWidth / unit;
    if (width && Math.abs(width - this.width) > 0.5) {
      this.width = width;
      this.layout();
    }
  }

  private layout(): void {
    const { track, width, unfolded } = this;
    const led = Boolean(track?.bands?.length);
    this.el.classList.toggle('nl-led', led);
    this.svg.setAttribute('viewBox', `0 0 ${short(width)} ${led ? 88 : 68}`);
    this.timeline = track && new Timeline(track, width, unfolded);
    this.painted.replaceChildren(...(this.timeline ? paint(this.timeline) : [baseline(width)]));
    this.shown = Infinity;
    this.place();
  }

  /** Playhead and clock; what came since the shown time is faint. */
  private place(): void {
    const { cursor } = this;
    if (!cursor) {
      return;
    }
    const live = cursor.mode === 'live' && this.held === null;
    const t = this.held ?? cursor.t;
    const x = live || !this.timeline ? this.width : this.timeline.x(t);
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
    const { timeline } = this;
    if (event.button !== 0 || !timeline) {
      return;
    }
    const gap = (event.target as Element).closest?.('.nl-idle');
    if (gap) {
      this.unfolded.add(Number(gap.getAttribute('data-gap')));
      this.layout();
      return;
    }
    this.slider.setPointerCapture(event.pointerId);
    this.held = timeline.t(this.pointer(event));
    this.sought = -1;
    this.seek();
    this.place();
  }

  private move(event: PointerEvent): void {
    const { timeline } = this;
    if (!timeline) {
      return;
    }
    const x = this.pointer(event);
    const t = timeline.t(x);
    const box = this.svg.getBoundingClientRect();
    const low = (event.clientY - box.top) / (box.height || 1) > 0.64;
    this.onBubble(what(timeline, t, x, low), box.left + (x / this.width) * box.width, box.top + box.height * 0.2);
    if (this.held !== null) {
      this.held = t;
      this.seek();
      this.place();
    }
  }

  private drop(event: PointerEvent): void {
    if (this.held === null || !this.timeline) {
      return;
    }
    this.held = this.timeline.t(this.pointer(event));
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
    const n = this.held === null || !this.timeline ? -1 : this.timeline.n(this.held);
    if (n >= 0 && n !== this.sought) {
      this.asked = performance.now();
      this.sought = n;
      this.send({ op: 'seek', n });
    }
  }
}

/** A time of the track, and what happened there. */
function what(timeline: Timeline, t: number, x: number, low: boolean): string {
  const { signs, pubs } = timeline.track;
  const band = low ? bandAt(timeline, x) : undefined;
  if (band) {
    return `${clockTime(t)}  ${plain(band.text)}`;
  }
  const fold = timeline.fold(x);
  if (fold) {
    return `nothing for ${duration(fold.t1 - fold.t0)}; click to see it to scale`;
  }
  const sign = signs.find(one => Math.abs(timeline.x(one.t) - x) < 6);
  if (sign) {
    return `${clockTime(sign.t)}  ${sign.glyph} ${plain(sign.text ?? '')}`.trim();
  }
  const near = pubs.filter(([, at]) => Math.abs(timeline.x(at) - x) < 3);
  const count = near.reduce((sum, [, , many]) => sum + many, 0);
  return clockTime(t) + (count ? `  ${count} message${count === 1 ? '' : 's'}` : '');
}
