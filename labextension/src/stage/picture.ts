// The picture of a view: its marks by key, messages on their way, and the rings around marks.

import { Clock } from './clock';
import { h, s, say, short } from './dom';
import { Flights } from './flights';
import { Layer, opens, type Ground, type Item } from './marks';
import { drawRings, type Ring } from './rings';
import type { Delta, Flight, Head, Mark } from './wire';
import { Zoom } from './zoom';

const CROWD = 300; // more marks that change at once change without a transition
/**
 * Whether the mark `key` is lit by a selection: it is the same thing, a part of it, or the whole of it.
 * As `selected` in natslab/views/view.py: parts follow after a `/` or `@`.
 */
export function selected(selection: string, key: string): boolean {
  const [a, b] = selection.length < key.length ? [selection, key] : [key, selection];
  return a !== '' && b.startsWith(a) && (a.length === b.length || '/@'.includes(b[a.length]));
}

/** Marks that explain the picture never fade. */
const WORDS = new Set(['sentence', 'note']);

export class Picture {
  readonly el: HTMLElement;
  readonly svg = s('svg', { class: 'nl-picture', role: 'presentation' });
  readonly world = s('g', { class: 'nl-world' });
  readonly clock: Clock;
  readonly ground: Ground;
  readonly marks: Layer;
  readonly flights: Flights;
  readonly zoom: Zoom;
  /** Nothing was drawn yet, or another view: what comes appears without a transition. */
  fresh = true;

  private crowd = false;
  private fading = false;
  private ringLayer = s('g', { class: 'nl-rings', 'aria-hidden': 'true' });
  private message = h('p', { class: 'nl-waiting' });

  /**
   * `seen`: whether anybody can see the picture. `calm`: whether motion is unwanted.
   * `pace`: how fast messages may travel, 0 for not at all.
   */
  constructor(
    { seen, calm, pace }: Record<'seen' | 'calm', () => boolean> & { pace: () => number },
    signal: AbortSignal
  ) {
    this.clock = new Clock(seen);
    const moves = (): boolean => !this.fresh && !this.crowd && !calm() && seen();
    this.ground = { clock: this.clock, index: new Map(), owner: new WeakMap(), moves };
    const markLayer = s('g');
    const flightLayer = s('g', { class: 'nl-flights' });
    this.marks = new Layer(markLayer, this.ground);
    this.flights = new Flights(flightLayer, this.clock, () => (moves() ? pace() : 0));
    this.world.append(markLayer, flightLayer, this.ringLayer);
    this.svg.append(this.world);
    this.zoom = new Zoom(this.svg, this.world, signal);
    this.el = h('div', { class: 'nl-body' }, h('div', { class: 'nl-scroll' }, this.svg), this.zoom.el, this.message);
    signal.addEventListener('abort', () => this.clock.stop(), { once: true });
  }

  /** Words in the place of a picture. */
  say(text: string): void {
    say(this.message, text);
  }

  resize({ width, top, height }: Head): void {
    const box = `0 ${short(top)} ${short(width)} ${short(Math.max(40, height - top))}`;
    if (this.svg.getAttribute('viewBox') !== box) {
      this.svg.setAttribute('viewBox', box);
    }
  }

  whole(marks: Mark[]): void {
    this.marks.replace(marks);
  }

  change({ set = [], del = [], order }: Delta): void {
    this.crowd = set.length > CROWD;
    del.forEach(key => this.marks.remove(key));
    set.forEach(mark => this.marks.put(mark));
    if (order) {
      this.marks.arrange(order);
    }
    this.crowd = false;
  }

  /** Fade what `lit` does not want; null: nothing. */
  fade(lit: ((item: Item) => boolean) | null, flown: ((flight: Flight) => boolean) | null): void {
    if (lit || this.fading) {
      this.marks.dim(lit && (item => WORDS.has(item.key) || lit(item)));
      this.flights.dim(flown);
    }
    this.fading = lit !== null;
  }

  ring(rings: Ring[]): void {
    if (rings.length || this.ringLayer.firstChild) {
      drawRings(this.ringLayer, rings);
    }
  }

  get ringed(): boolean {
    return this.ringLayer.firstChild !== null;
  }

  /** The marks that a selection lights: the outermost ones, and no text but what can be opened. */
  entity(selection: string): Item[] {
    const lit = ({ key, mark }: Item): boolean => selected(selection, key) && (mark.kind !== 'text' || key === selection);
    const found = [...this.ground.index.values()].filter(item => lit(item) && !(item.parent.within && lit(item.parent.within)));
    // Where the thing itself is drawn, its bare parts are not lit besides.
    return found.some(({ key }) => key === selection) ? found.filter(item => item.key === selection || opens(item.mark)) : found;
  }

  /** The message that an element draws. */
  flightAt(target: Element): Flight | null {
    const el = target.closest('.nl-flights > g');
    return el && this.flights.get(el);
  }

  /** The nearest mark around an element that can be opened. */
  markAt(from: Element | null): Item | null {
    for (let el = from; el && el !== this.svg; el = el.parentElement) {
      const item = this.ground.owner.get(el);
      if (item && opens(item.mark)) {
        return item;
      }
    }
    return null;
  }

  /** The mark under a pointer, or one so near that a finger would mean it. */
  under({ target, clientX, clientY }: MouseEvent): Item | null {
    const found = this.markAt(target as Element);
    if (found) {
      return found;
    }
    const root = this.svg.getRootNode() as Document | ShadowRoot;
    for (const by of [5, 10]) {
      for (const [dx, dy] of [[0, -by], [0, by], [-by, 0], [by, 0]]) {
        const el = root.elementFromPoint(clientX + dx, clientY + dy);
        const near = this.world.contains(el) ? this.markAt(el) : null;
        if (near) {
          return near;
        }
      }
    }
    return null;
  }
}
