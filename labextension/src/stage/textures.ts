// Textures of the states, for print, forced colours and the patterns switch; the stylesheet names them.

import { s } from './dom';

const LINES: [state: string, d: string, width: number][] = [
  ['flight', 'M0 3H6', 1.2],
  ['retry', 'M-1 7L7 -1M-1 1L1 -1M5 7L7 5', 1.2],
  ['dead', 'M0 0L6 6M6 0L0 6', 1]
];

let pictures = 0;

/**
 * The textures of one stage, under ids of their own: a page has many, and one that is hidden would
 * hide its textures from all. `root`, the element of the stage, is told where they are.
 */
export function textures(root: HTMLElement): SVGDefsElement {
  const own = `natslab-${++pictures}`;
  for (const [state] of LINES) {
    root.style.setProperty(`--texture-${state}`, `url(#${own}-${state})`);
  }
  return s(
    'defs',
    {},
    ...LINES.map(([state, d, width]) =>
      s(
        'pattern',
        { id: `${own}-${state}`, width: 6, height: 6, patternUnits: 'userSpaceOnUse' },
        s('rect', { width: 6, height: 6, class: `fill ${state}` }),
        s('path', { d, class: 'edge ground', 'stroke-width': width })
      )
    )
  );
}
