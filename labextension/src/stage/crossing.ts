// A line that is drawn across marks: on release it does to each what may be done by crossing it.

import { s, short, swallowClick } from './dom';
import type { Item } from './marks';
import { meeting, type Point } from './path';
import type { Picture } from './picture';

const FAR = 10; // px that a pointer goes before it draws and no longer clicks
const STEEP = 24; // px by which one end of a line is higher than the other
const FINE = 8; // px between two points at which a mark's line is looked at

/** The number of the action that crossing a mark does; -1 when there is none. */
export function crosses({ mark }: Item): number {
  return mark.actions?.findIndex(act => act.cross) ?? -1;
}

/** A mark that the line meets. */
interface Met {
  item: Item;
  way: Point[]; // the line of the mark, on the screen
  at: Point;
}

interface Drag {
  id: number;
  from: Point;
  to: Point;
  drawing: boolean;
  over: boolean; // given up: only its end is waited for
  end: AbortController;
}

/** The lines of a mark as they are on the screen. */
function ways(item: Item): Point[][] {
  const own = item.el instanceof SVGPathElement ? [item.el] : [];
  return [...own, ...item.el.querySelectorAll<SVGPathElement>('path:not(.nl-head)')].flatMap(path => {
    const matrix = path.getScreenCTM();
    const long = path.getTotalLength();
    if (!matrix || !long) {
      return [];
    }
    const steps = Math.ceil(long / FINE);
    return [Array.from({ length: steps + 1 }, (_, i): Point => {
      const { x, y } = path.getPointAtLength((long * i) / steps).matrixTransform(matrix);
      return [x, y];
    })];
  });
}

export class Crossing {
  /** The marks that a line crosses while it is drawn, and a place beside it for words. */
  onDraw: (met: Item[], x: number, y: number) => void = () => undefined;
  /** The line is over, and these marks were crossed. */
  onEnd: (met: Item[]) => void = () => undefined;

  private drag: Drag | null = null;
  private layer = s('g', { class: 'nl-crossing', 'aria-hidden': 'true' });

  /** `live`: whether anything may be done now. */
  constructor(
    private picture: Picture,
    private live: () => boolean,
    private signal: AbortSignal
  ) {
    const { svg } = picture;
    picture.world.append(this.layer);
    svg.addEventListener('pointerdown', event => this.down(event), { signal });
    svg.addEventListener('pointermove', event => this.move(event), { signal });
    svg.addEventListener('pointerup', event => this.up(event), { signal });
    svg.addEventListener('pointercancel', () => this.end([]), { signal });
    signal.addEventListener('abort', () => this.leave(), { once: true });
  }

  /** Whether a line is being drawn. */
  get drawing(): boolean {
    return this.drag?.drawing === true;
  }

  /** What crossing a mark does, in a word; '' where there is no such mark. */
  get word(): string {
    for (const item of this.picture.ground.index.values()) {
      const i = crosses(item);
      if (i >= 0) {
        return item.mark.actions?.[i].label ?? '';
      }
    }
    return '';
  }

  private get marks(): Item[] {
    return [...this.picture.ground.index.values()].filter(item => crosses(item) >= 0);
  }

  /** The picture has changed under the line. */
  refresh(): void {
    if (this.drawing && !this.live()) {
      this.giveUp();
    } else if (this.drawing) {
      this.draw();
    }
  }

  private down(event: PointerEvent): void {
    const free = this.picture.zoom.k === 1 || event.shiftKey; // a drag moves what is zoomed
    if (!this.drag && free && event.isPrimary && event.button === 0 && event.pointerType !== 'touch' && this.live() && this.marks.length) {
      const at: Point = [event.clientX, event.clientY];
      this.drag = { id: event.pointerId, from: at, to: at, drawing: false, over: false, end: new AbortController() };
    }
  }

  private move(event: PointerEvent): void {
    const { drag } = this;
    if (!drag || drag.over || event.pointerId !== drag.id) {
      return;
    }
    drag.to = [event.clientX, event.clientY];
    if (!drag.drawing && Math.hypot(drag.to[0] - drag.from[0], drag.to[1] - drag.from[1]) < FAR) {
      return;
    }
    if (!drag.drawing) {
      drag.drawing = true;
      this.picture.svg.setPointerCapture(drag.id);
      this.picture.svg.classList.add('nl-draws');
      const heard = { signal: drag.end.signal, capture: true };
      window.addEventListener('keydown', key => this.press(key), heard);
      window.addEventListener('blur', () => this.giveUp(), heard);
    }
    this.draw();
  }

  private press(event: KeyboardEvent): void {
    if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      this.giveUp();
    }
  }

  private up(event: PointerEvent): void {
    const { drag } = this;
    if (drag && event.pointerId === drag.id) {
      const done = drag.drawing && this.live() ? this.met(drag).map(({ item }) => item) : [];
      if (drag.drawing || drag.over) {
        swallowClick(this.picture.svg, this.signal);
      }
      this.end(done);
    }
  }

  /** Nothing is done; the pointer may still be down. */
  private giveUp(): void {
    const { drag } = this;
    this.end([]);
    if (drag) {
      this.drag = { ...drag, drawing: false, over: true };
    }
  }

  private end(done: Item[]): void {
    const drew = this.drawing;
    this.leave();
    if (drew) {
      this.onEnd(done);
    }
  }

  private leave(): void {
    this.drag?.end.abort();
    this.drag = null;
    this.layer.replaceChildren();
    this.picture.svg.classList.remove('nl-draws');
  }

  private met({ from, to }: Drag): Met[] {
    return this.marks.flatMap(item => {
      for (const way of ways(item)) {
        for (let i = 1; i < way.length; i++) {
          const at = meeting(from, to, way[i - 1], way[i]);
          if (at) {
            return [{ item, way, at }];
          }
        }
      }
      return [];
    });
  }

  private draw(): void {
    const { drag, layer } = this;
    const back = layer.getScreenCTM()?.inverse();
    if (!drag || !back) {
      return;
    }
    const met = this.met(drag);
    const place = ([x, y]: Point): string => {
      const { x: px, y: py } = new DOMPoint(x, y).matrixTransform(back);
      return `${short(px)} ${short(py)}`;
    };
    const line = (way: Point[]): string => `M${way.map(place).join('L')}`;
    layer.replaceChildren(
      ...met.map(({ way }) => s('path', { class: 'nl-crossed', d: line(way) })),
      s('path', { class: 'wall', d: line([drag.from, drag.to]) }),
      ...met.map(({ at }) => s('circle', { class: 'nl-crossed-at', r: 4.5, transform: `translate(${place(at)})` }))
    );
    // Said at its upper end, so that the words do not lie over the line.
    const upper = drag.from[1] < drag.to[1] - STEEP ? drag.from : drag.to;
    this.onDraw(met.map(({ item }) => item), ...upper);
  }
}
