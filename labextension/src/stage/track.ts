// The tape painted: publishes as bars, signs on stems, idle time as a zigzag.

import { plain, s, short } from './dom';
import { IDLE, type Timeline } from './timeline';
import type { Band, Sign } from './wire';

const LINE = 50; // baseline
const PITCH = 4; // between two bars
const APART = 13; // least distance of two signs
const BAND = 59; // top of the bands
const TALL = 17;

/** A length of time in words, as long as it needs to be. */
export function duration(seconds: number): string {
  if (seconds >= 120) {
    return `${Math.round(seconds / 60)} min`;
  }
  return seconds >= 10 ? `${Math.round(seconds)} s` : `${seconds.toFixed(1)} s`;
}

/** Everything on the track. What belongs to a moment has it as data-t, a fold its start as data-gap. */
export function paint(timeline: Timeline): SVGElement[] {
  const signs = apart(timeline);
  const stems = signs.map(({ x }) => x);
  return [
    baseline(timeline.width),
    ...ticks(timeline),
    ...bars(timeline, stems),
    ...zigzags(timeline),
    ...bands(timeline),
    ...signs.map(({ sign, x }, i) => drawSign(sign, x, Math.min(stems[i + 1] ?? timeline.width, timeline.foldAfter(x))))
  ];
}

export function baseline(width: number): SVGElement {
  return s('path', { d: `M0 ${LINE}.5H${short(width)}`, class: 'edge line' });
}

/** Signs that would stand on each other: the newest is drawn. */
function apart(timeline: Timeline): { sign: Sign; x: number }[] {
  const placed: { sign: Sign; x: number }[] = [];
  for (const sign of timeline.track.signs) {
    const x = timeline.x(sign.t);
    const last = placed[placed.length - 1];
    if (last && x - last.x < APART) {
      last.sign = sign;
    } else {
      placed.push({ sign, x });
    }
  }
  return placed;
}

/** Height by the logarithm of the count: 5 for one message, 14 for a thousand. */
function bars(timeline: Timeline, stems: number[]): SVGElement[] {
  const found = new Map<number, { t: number; count: number }>();
  for (const [, t, count] of timeline.track.pubs) {
    const x = Math.round(timeline.x(t) / PITCH) * PITCH;
    const bar = found.get(x);
    if (bar) {
      bar.count += count;
    } else {
      found.set(x, { t, count });
    }
  }
  return [...found]
    .filter(([x]) => stems.every(stem => Math.abs(stem - x) >= 5))
    .map(([x, { t, count }]) => {
      const tall = Math.min(14, 5 + 3 * Math.log10(Math.max(1, count)));
      const box = { x: short(x - 1), y: short(LINE - tall), width: 2, height: short(tall) };
      return s('rect', { ...box, class: 'fill ink3', 'data-t': t });
    });
}

/** What became of messages that were there already: a short tick each. */
function ticks(timeline: Timeline): SVGElement[] {
  const found = new Map((timeline.track.beats ?? []).map(([, t]) => [Math.round(timeline.x(t) / PITCH) * PITCH, t]));
  return [...found].map(([x, t]) => s('rect', { x: short(x - 0.5), y: LINE + 2, width: 1, height: 3, class: 'fill ink3', 'data-t': t }));
}

function zigzags(timeline: Timeline): SVGElement[] {
  return timeline.pieces
    .filter(({ idle }) => idle)
    .map(({ t0, t1, x0 }) =>
      s(
        'g',
        { class: 'nl-idle', 'data-gap': t0, transform: `translate(${short(x0)} 0)` },
        s('rect', { x: 0, y: 28, width: IDLE, height: 32, class: 'nl-hit' }),
        s('rect', { x: 0, y: LINE - 2, width: IDLE, height: 5, class: 'fill panel' }),
        s('path', { d: `M0 ${LINE}.5l4 -4l6 8l6 -8l6 8l6 -8l6 8l6 -8l4 4`, class: 'edge ink3 round' }),
        s('text', { x: IDLE / 2, y: 42, class: 't11 middle nl-ink3' }, duration(t1 - t0))
      )
    );
}

/** Who led: a band from when to when, with the words that fit; none where nobody did. */
function bands(timeline: Timeline): SVGElement[] {
  const all = timeline.track.bands ?? [];
  return all.map((band, i) => {
    const x0 = timeline.x(band.t0);
    const x1 = Math.max(x0 + 2, timeline.x(band.t1 ?? timeline.track.t1));
    const words = [band.text, band.name].find(text => text.length * 6.6 + 14 <= x1 - x0);
    return s(
      'g',
      { class: 'nl-band', 'data-t': band.t0, 'data-band': i },
      s('rect', { x: short(x0), y: BAND, width: short(x1 - x0), height: TALL, rx: 4, class: `fill ${band.term % 2 ? 'odd' : 'even'}` }),
      ...(words ? [s('text', { x: short(x0 + 7), y: BAND + 12.5, class: 't11 nl-ink2' }, plain(words))] : [])
    );
  });
}

/** The band at a place, if the pointer is as low as that. */
export function bandAt(timeline: Timeline, x: number): Band | undefined {
  return timeline.track.bands?.find(({ t0, t1 }) => x >= timeline.x(t0) && x <= timeline.x(t1 ?? timeline.track.t1));
}

const GLYPHS: Record<string, { d: string; class?: string; 'stroke-width'?: number | string; 'stroke-dasharray'?: string }> = {
  '✓': { d: 'M-4 26l2.8 3l5 -6' },
  '✕': { d: 'M-3.2 22.8l6.4 6.4m0 -6.4l-6.4 6.4' },
  '↑': { d: 'M0 30v-8m-3.2 3.2l3.2 -3.2l3.2 3.2' },
  '‖': { d: 'M-2 22.5v7m4 -7v7', 'stroke-width': 2 },
  '▶': { d: 'M-2.6 22.4V29.6L3.6 26Z', class: 'fill ink2' },
  '↓': { d: 'M0 22v8m-3.2 -3.2l3.2 3.2l3.2 -3.2' },
  '┇': { d: 'M0 20.5V31.5', 'stroke-width': 2.5, 'stroke-dasharray': '2.6 1.7' },
  '┆': { d: 'M0 20.5V31.5', 'stroke-width': 1.5, 'stroke-dasharray': '1.5 1.5' },
  '=': { d: 'M-3.6 24.4h7.2m-7.2 3.4h7.2' },
  '◎': {
    d: 'M-4.2 26a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0 -8.4 0M-2 26a2 2 0 1 0 4 0a2 2 0 1 0 -4 0',
    'stroke-width': 1
  }
};

/** How a known sign is drawn around (0, 26). */
export function glyph(sign: string): { d: string; more: Record<string, string | number> } | null {
  const known = GLYPHS[sign];
  if (!known) {
    return null;
  }
  const { d, class: _, ...more } = known;
  return { d, more: known.class ? { ...more, class: 'nl-solid' } : more };
}

/** A sign at x; its name if there is room for all of it before what is next. */
function drawSign({ glyph, name, t }: Sign, x: number, next: number): SVGElement {
  const known = GLYPHS[glyph];
  const parts: SVGElement[] = [
    known
      ? s('path', { class: 'edge ink2 round', 'stroke-width': 1.5, ...known })
      : s('text', { y: 30, class: 't12 w6 middle nl-ink2' }, plain(glyph.slice(0, 2))),
    s('path', { d: `M0 33V${LINE}`, class: 'edge line' })
  ];
  if (name && x + 8 + name.length * 7 <= next - 4) {
    parts.push(s('text', { x: 8, y: 30, class: 't11 nl-ink3' }, plain(name)));
  }
  return s('g', { class: 'nl-sign', 'data-t': t, transform: `translate(${short(x)} 0)` }, ...parts);
}
