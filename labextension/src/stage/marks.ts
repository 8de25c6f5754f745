// The keyed join: marks enter, change and leave by key, groups within groups.

import type { Clock, Job } from './clock';
import { attr, num, plain, s, safeClasses, short } from './dom';
import { arrowHead, morph } from './path';
import type { Mark, Run } from './wire';

export const CHANGE = 150; // ms that a change of state takes
const LEVEL = 600; // ms that a level may take to its next value

/** What marks of one stage share. */
export interface Ground {
  clock: Clock;
  /** Every mark by its key, in groups too. */
  index: Map<string, Item>;
  /** The mark an element draws. */
  owner: WeakMap<Element, Item>;
  /** Whether changes may be animated now. */
  moves(): boolean;
}

type Geometry = Record<string, number | string>;

function is(mark: Mark, name: string): boolean {
  return (mark.classes ?? '').split(' ').includes(name);
}

/** Whether a mark can be pointed at and opened. */
export function opens(mark: Mark): boolean {
  return Boolean(mark.title || mark.actions?.length || mark.at);
}

/** Whether a click on a mark shows its actions beside it. */
export function menus(mark: Mark): boolean {
  return Boolean(mark.actions?.length) && is(mark, 'menu');
}

/** Whether a click on a mark does its first action at once. */
export function presses(mark: Mark): boolean {
  return Boolean(mark.actions?.length) && is(mark, 'button');
}

/** Whether the picture itself draws what there is to say of a mark, once it is selected. */
export function carded(mark: Mark): boolean {
  return is(mark, 'card');
}

function easeOut(u: number): number {
  return 1 - (1 - u) ** 3;
}

function geometry(mark: Mark): Geometry {
  const geo: Geometry = { opacity: mark.opacity === undefined ? 1 : num(mark.opacity) };
  switch (mark.kind) {
    case 'rect':
      geo.x = num(mark.x);
      geo.y = num(mark.y);
      geo.width = Math.max(0, num(mark.w));
      geo.height = Math.max(0, num(mark.h));
      geo.rx = Math.max(0, num(mark.r));
      break;
    case 'circle':
      geo.cx = num(mark.x);
      geo.cy = num(mark.y);
      geo.r = Math.max(0, num(mark.r));
      break;
    case 'path':
      geo.d = String(mark.d ?? '');
      break;
    case 'text':
      geo.x = num(mark.x);
      geo.y = num(mark.y);
      break;
    case 'group':
      geo.tx = num(mark.x);
      geo.ty = num(mark.y);
      break;
  }
  if ('width' in mark && mark.width !== undefined) {
    geo['stroke-width'] = Math.max(0, num(mark.width));
  }
  return geo;
}

function spans(runs: Run[]): SVGTSpanElement[] {
  return runs.map(([text, classes]) => {
    const names = safeClasses(classes);
    return s('tspan', names ? { class: names } : {}, plain(String(text ?? '')));
  });
}

/** The anchor of a line of text is asked for by its first run. */
function anchor(runs: Run[]): string {
  const names = (runs[0]?.[1] ?? '').split(' ');
  return ['end', 'middle'].filter(name => names.includes(name)).join(' ');
}

export class Item {
  readonly el: SVGElement;
  /** Marks inside, for a group. */
  readonly kids: Layer | null = null;
  private shape: SVGElement; // carries the geometry: the element itself, except for arrows
  private head: SVGPathElement | null = null;
  private shown: Geometry = {}; // as on the screen now
  private goal: Geometry = {}; // as it will be when nothing moves
  private job: Job | null = null;
  private changed = -Infinity; // when it last began to move

  constructor(
    public mark: Mark,
    readonly parent: Layer,
    private ground: Ground
  ) {
    if (mark.kind === 'path' && mark.arrow) {
      this.head = s('path', { class: 'nl-head' });
      this.shape = s('path');
      this.el = s('g', {}, this.shape, this.head);
    } else if (mark.kind === 'group') {
      this.el = this.shape = s('g');
      this.kids = new Layer(this.el, ground, this, parent.live);
    } else {
      this.el = this.shape = s(mark.kind);
    }
    this.el.setAttribute('data-key', mark.key);
    ground.index.set(mark.key, this);
    ground.owner.set(this.el, this);
    this.goal = geometry(mark);
    this.dress(null);
    this.show(this.goal);
  }

  get key(): string {
    return this.mark.key;
  }

  /** Whether an item can turn into this mark without being made anew. */
  fits(mark: Mark): boolean {
    return (
      mark.kind === this.mark.kind &&
      (mark.kind !== 'path' || Boolean(mark.arrow) === Boolean(this.head))
    );
  }

  appear(): void {
    if (this.ground.moves()) {
      this.show({ ...this.goal, opacity: 0 });
      this.tween();
    }
  }

  update(mark: Mark): void {
    const before = this.mark;
    this.mark = mark;
    this.dress(before);
    const goal = geometry(mark);
    const names = new Set([...Object.keys(goal), ...Object.keys(this.goal)]);
    if ([...names].every(name => goal[name] === this.goal[name])) {
      return;
    }
    this.goal = goal;
    if (this.ground.moves()) {
      this.tween();
    } else {
      this.halt();
      this.show(goal);
    }
  }

  /** Fade out, then be gone. Its key is free at once. */
  leave(): void {
    this.forget();
    const { el } = this;
    if (!this.ground.moves()) {
      el.remove();
      return;
    }
    el.classList.add('nl-gone');
    el.setAttribute('aria-hidden', 'true');
    const from = num(this.shown.opacity);
    const start = performance.now();
    this.ground.clock.add(now => {
      const u = Math.min(1, (now - start) / CHANGE);
      if (u < 1) {
        el.setAttribute('opacity', short(from * (1 - u)));
        return true;
      }
      el.remove();
      return false;
    });
  }

  /** Nothing refers to this item any more. */
  forget(): void {
    this.halt();
    this.kids?.forget();
    if (this.ground.index.get(this.key) === this) {
      this.ground.index.delete(this.key);
    }
  }

  private halt(): void {
    if (this.job) {
      this.ground.clock.drop(this.job);
      this.job = null;
    }
  }

  /** Classes, words and what is inside: everything that changes at once. */
  private dress(before: Mark | null): void {
    const { mark, el } = this;
    if (!before || before.classes !== mark.classes || mark.kind === 'text') {
      let names = safeClasses(mark.classes);
      if (mark.kind === 'text') {
        names = `${names} ${anchor(mark.runs ?? [])}`.trim();
      }
      attr(this.shape, 'class', names);
      if (this.head) {
        attr(this.head, 'class', `nl-head ${names}`);
      }
      el.classList.toggle('nl-dim', this.dimmed);
    }
    if (mark.kind !== 'group' && mark.kind !== 'text') {
      attr(this.shape, 'stroke-dasharray', mark.dash ? String(mark.dash) : '');
    }
    if (mark.kind === 'text') {
      const same = before?.kind === 'text' && JSON.stringify(before.runs) === JSON.stringify(mark.runs);
      if (!same) {
        el.setAttribute('xml:space', 'preserve');
        el.replaceChildren(...spans(mark.runs ?? []));
      }
    }
    this.kids?.replace(mark.kind === 'group' ? (mark.marks ?? []) : [], before === null);
    if (before?.title !== mark.title || before?.actions?.length !== mark.actions?.length) {
      this.name();
    }
  }

  private name(): void {
    const { mark, el } = this;
    const open = this.parent.live && opens(mark);
    attr(el, 'aria-label', plain(mark.title || mark.actions?.[0]?.label || ''));
    attr(el, 'role', open ? 'button' : mark.title ? 'img' : '');
    attr(el, 'tabindex', open ? el.getAttribute('tabindex') ?? '-1' : '');
    el.classList.toggle('nl-open', open);
  }

  private dimmed = false;

  dim(on: boolean): void {
    if (on !== this.dimmed) {
      this.dimmed = on;
      this.el.classList.toggle('nl-dim', on);
    }
  }

  private show(geo: Geometry): void {
    const before = this.shown;
    this.shown = geo;
    const { shape, head } = this;
    for (const [name, value] of Object.entries(geo)) {
      // The browser takes its time for an attribute even when nothing changes.
      if (name === 'tx' || name === 'ty' || value === before[name]) {
        continue;
      }
      if (name === 'opacity') {
        attr(this.el, name, value === 1 ? '' : short(num(value)));
      } else {
        shape.setAttribute(name, typeof value === 'number' ? short(value) : value);
      }
      if (head && name === 'd') {
        head.setAttribute('d', arrowHead(String(value)));
      } else if (head && name === 'stroke-width') {
        head.setAttribute(name, short(num(value)));
      }
    }
    if (geo.tx !== undefined && (geo.tx !== before.tx || geo.ty !== before.ty)) {
      attr(shape, 'transform', geo.tx || geo.ty ? `translate(${short(num(geo.tx))} ${short(num(geo.ty))})` : '');
    }
    if (geo['stroke-width'] === undefined && shape.hasAttribute('stroke-width')) {
      shape.removeAttribute('stroke-width');
      head?.removeAttribute('stroke-width');
    }
  }

  private tween(): void {
    this.halt();
    const { goal, ground, mark } = this;
    // A level goes on as it did until the next frame; everything else is there soon.
    const level = is(mark, 'level');
    const lasts = level ? Math.min(LEVEL, Math.max(CHANGE, performance.now() - this.changed)) : CHANGE;
    this.changed = performance.now();
    const moving: [name: string, at: (u: number) => number | string][] = [];
    for (const [name, to] of Object.entries(goal)) {
      const from = this.shown[name];
      if (from === undefined || from === to) {
        continue;
      }
      if (typeof to === 'number') {
        const start = num(from);
        moving.push([name, u => start + (to - start) * u]);
      } else {
        const way = morph(String(from), to);
        if (way) {
          moving.push([name, way]);
        } else {
          this.fadeOld();
        }
      }
    }
    if (!moving.length) {
      this.show(goal);
      return;
    }
    const start = performance.now();
    const job: Job = now => {
      const u = Math.min(1, (now - start) / lasts);
      if (u >= 1) {
        this.job = null;
        this.show(goal);
        return false;
      }
      const frame = { ...goal };
      for (const [name, at] of moving) {
        frame[name] = at(level ? Math.max(0, u) : easeOut(Math.max(0, u)));
      }
      this.show(frame);
      return true;
    };
    this.job = job;
    ground.clock.add(job);
  }

  /** A path that cannot turn into its new shape: the old one fades away over the new one. */
  private fadeOld(): void {
    const ghost = this.shape.cloneNode(false) as SVGElement;
    ghost.removeAttribute('data-key');
    ghost.classList.add('nl-gone');
    this.el.parentNode?.insertBefore(ghost, this.el.nextSibling);
    const start = performance.now();
    this.ground.clock.add(now => {
      const u = Math.min(1, (now - start) / CHANGE);
      if (u < 1) {
        ghost.setAttribute('opacity', short(1 - u));
        return true;
      }
      ghost.remove();
      return false;
    });
  }
}

/** Marks with one parent element, in drawing order. */
export class Layer {
  readonly items = new Map<string, Item>();

  /** `live` marks can be focused and opened. */
  constructor(
    private el: SVGElement,
    private ground: Ground,
    readonly within: Item | null = null,
    readonly live = true
  ) {}

  /** Exactly these marks, in this order. */
  replace(marks: Mark[], still = false): void {
    const keep = new Set(marks.map(mark => mark.key));
    for (const key of [...this.items.keys()]) {
      if (!keep.has(key)) {
        this.remove(key);
      }
    }
    for (const mark of marks) {
      this.put(mark, still);
    }
    this.arrange(marks.map(mark => mark.key));
  }

  put(mark: Mark, still = false): void {
    const old = this.items.get(mark.key);
    if (old?.fits(mark)) {
      old.update(mark);
      return;
    }
    const item = new Item(mark, this, this.ground);
    this.items.set(mark.key, item);
    if (old) {
      this.el.insertBefore(item.el, old.el);
      old.leave();
      this.ground.index.set(mark.key, item);
    } else {
      this.el.append(item.el);
    }
    if (!still) {
      item.appear();
    }
  }

  remove(key: string): void {
    this.items.get(key)?.leave();
    this.items.delete(key);
  }

  /** Bring the elements into this order, moving as few as possible. */
  arrange(order: string[]): void {
    let next = this.el.firstElementChild;
    for (const key of order) {
      const el = this.items.get(key)?.el;
      if (!el) {
        continue;
      }
      while (next && next !== el && next.classList.contains('nl-gone')) {
        next = next.nextElementSibling;
      }
      if (next === el) {
        next = el.nextElementSibling;
      } else {
        this.el.insertBefore(el, next);
      }
    }
  }

  /** All items in drawing order, groups before what they hold. */
  *walk(): Generator<Item> {
    for (const el of this.el.children) {
      const item = this.ground.owner.get(el);
      if (item && this.items.get(item.key) === item) {
        yield item;
        if (item.kids) {
          yield* item.kids.walk();
        }
      }
    }
  }

  /** Fade all that `lit` does not want; a group stays when anything in it does. */
  dim(lit: ((item: Item) => boolean) | null): void {
    for (const item of this.items.values()) {
      if (!lit || lit(item)) {
        item.dim(false);
        item.kids?.dim(null);
      } else if (item.kids && [...item.kids.walk()].some(lit)) {
        item.dim(false);
        item.kids.dim(lit);
      } else {
        item.dim(true);
        item.kids?.dim(null);
      }
    }
  }

  forget(): void {
    for (const item of this.items.values()) {
      item.forget();
    }
  }
}
