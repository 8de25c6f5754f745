// Rings around marks: what is selected, what the table points at, what has the keyboard's focus.

import { s, short } from './dom';
import type { Item } from './marks';

const MOST = 60;

export interface Ring {
  item: Item;
  kind: 'selected' | 'pointed' | 'focus';
}

/** Draw these rings in a layer that lies over the marks. */
export function drawRings(layer: SVGGElement, rings: Ring[]): void {
  const base = layer.getScreenCTM()?.inverse();
  if (!base || !rings.length) {
    layer.replaceChildren();
    return;
  }
  // Read all boxes before anything is written: one layout pass, not one per ring.
  const boxes = rings.slice(0, MOST).map(({ item, kind }) => {
    const el = item.el as SVGGraphicsElement;
    const matrix = el.getScreenCTM();
    const box = el.getBBox();
    if (!matrix || (!box.width && !box.height)) {
      return null;
    }
    const at = new DOMPoint(box.x, box.y).matrixTransform(matrix).matrixTransform(base);
    const scale = matrix.a / (base.a ? 1 / base.a : 1) || 1;
    const { mark } = item;
    const angular = mark.kind === 'rect' || (mark.kind === 'group' && mark.marks.some(part => part.kind === 'rect'));
    return { kind, angular, x: at.x, y: at.y, w: box.width * scale, h: box.height * scale, round: item.mark.kind === 'circle' };
  });
  const drawn: SVGElement[] = [];
  for (const box of boxes) {
    if (!box) {
      continue;
    }
    const look = { class: `nl-ring nl-ring-${box.kind}` };
    const pad = box.kind === 'focus' ? 6 : 4.3;
    const nearlyRound = !box.angular && Math.abs(box.w - box.h) < 5 && box.w < 26;
    if (box.round || nearlyRound) {
      const r = Math.max(box.w, box.h) / 2 + pad;
      drawn.push(s('circle', { ...look, cx: short(box.x + box.w / 2), cy: short(box.y + box.h / 2), r: short(r) }));
    } else {
      const size = { width: short(box.w + 2 * pad), height: short(box.h + 2 * pad), rx: 7 };
      drawn.push(s('rect', { ...look, x: short(box.x - pad), y: short(box.y - pad), ...size }));
    }
  }
  layer.replaceChildren(...drawn);
}
