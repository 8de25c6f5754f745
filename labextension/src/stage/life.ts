// The life of one thing as a bar: what it was from when to when, and what happened at a moment.

import { h, num, plain, s, safeClasses, short } from './dom';
import { duration } from './track';
import type { Mark } from './wire';

type Life = NonNullable<Mark['life']>;

const WIDTH = 420;
const LINE = 16; // middle of the bar

/** The bar, and under it a line for each part of it. Nothing for nothing. */
export function drawLife(life: Life): Element[] {
  if (!life.length) {
    return [];
  }
  const start = Math.min(...life.map(([t0]) => num(t0)));
  const end = Math.max(start + 0.001, ...life.map(([, t1]) => num(t1)));
  const x = (t: number): number => 6 + ((num(t) - start) / (end - start)) * (WIDTH - 12);
  const parts = life.map(([t0, t1, classes]) => {
    const names = safeClasses(classes);
    if (num(t1) <= num(t0)) {
      return s('circle', { cx: short(x(t0)), cy: LINE, r: 5.5, class: `halo fill ${names}` });
    }
    const wide = Math.max(2, x(t1) - x(t0));
    return s('rect', { x: short(x(t0)), y: LINE - 5, width: short(wide), height: 10, rx: 2, class: `fill ${names}` });
  });
  // Moments stand over what lasts.
  parts.sort((a, b) => Number(a.tagName === 'circle') - Number(b.tagName === 'circle'));
  const line = s('path', { d: `M6 ${LINE}H${WIDTH - 6}`, class: 'edge line' });
  const picture = s('svg', { viewBox: `0 0 ${WIDTH} 32`, 'aria-hidden': 'true' }, line, ...parts);
  const rows = life.map(([t0, t1, classes, words]) =>
    h(
      'li',
      {},
      s('svg', { viewBox: '0 0 12 12', 'aria-hidden': 'true' }, s('circle', { cx: 6, cy: 6, r: 5, class: `fill ${safeClasses(classes)}` })),
      h('span', { class: 'nl-when' }, `+${duration(num(t0) - start)}`),
      h('span', {}, plain(words) + (num(t1) > num(t0) ? `, for ${duration(num(t1) - num(t0))}` : ''))
    )
  );
  return [picture, h('ol', {}, ...rows)];
}
