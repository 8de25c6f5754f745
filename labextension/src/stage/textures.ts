// Textures of the states, for print, forced colours and the patterns switch; the stylesheet names them.

import { s } from './dom';

const LINES: [state: string, d: string, width: number][] = [
  ['flight', 'M0 3H6', 1.2],
  ['retry', 'M-1 7L7 -1M-1 1L1 -1M5 7L7 5', 1.2],
  ['dead', 'M0 0L6 6M6 0L0 6', 1]
];

export function textures(): SVGDefsElement {
  return s(
    'defs',
    {},
    ...LINES.map(([state, d, width]) =>
      s(
        'pattern',
        { id: `natslab-${state}`, width: 6, height: 6, patternUnits: 'userSpaceOnUse' },
        s('rect', { width: 6, height: 6, class: `fill ${state}` }),
        s('path', { d, class: 'edge ground', 'stroke-width': width })
      )
    )
  );
}
