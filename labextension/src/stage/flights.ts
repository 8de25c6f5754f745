// Messages on their way: each travels once, when it first appears live, and then rests.

import type { Clock } from './clock';
import { attr, num, plain, s, safeClasses, short } from './dom';
import { CHANGE } from './marks';
import { Way } from './way';
import type { Flight } from './wire';

const SHORTEST = 250; // ms; the true time is in the title
const LONGEST = 600;
const SLOWEST = 4000; // in a replay, and of what takes its true time
const MANY = 60; // more at once are placed without travel

interface Dot {
  flight: Flight;
  el: SVGGElement;
  travels: boolean;
  gone: boolean;
}

export class Flights {
  private dots = new Map<string, Dot>();
  private owner = new WeakMap<Element, Dot>();
  private travelling = 0;

  /** `pace` says how fast messages may move now: 1 is their own time, 0 not at all. */
  constructor(
    private el: SVGGElement,
    private clock: Clock,
    private pace: () => number
  ) {}

  get(el: Element): Flight | null {
    return this.owner.get(el)?.flight ?? null;
  }

  /** Fade all but these; null: none. */
  dim(lit: ((flight: Flight) => boolean) | null): void {
    for (const { el, flight } of this.dots.values()) {
      el.classList.toggle('nl-dim', lit !== null && !lit(flight));
    }
  }

  replace(flights: Flight[]): void {
    const keep = new Set(flights.map(flight => flight.key));
    this.apply(flights, [...this.dots.keys()].filter(key => !keep.has(key)));
  }

  apply(flights: Flight[], gone: string[]): void {
    for (const key of gone) {
      const dot = this.dots.get(key);
      this.dots.delete(key);
      if (dot) {
        dot.gone = true;
        if (!dot.travels) {
          this.leave(dot);
        }
      }
    }
    const fresh: Dot[] = [];
    for (const flight of flights) {
      const old = this.dots.get(flight.key);
      if (old) {
        this.dress(old, flight);
        if (!old.travels) {
          place(old, num(flight.x), num(flight.y));
        }
      } else {
        const dot: Dot = { flight, el: s('g', { 'data-key': flight.key }), travels: false, gone: false };
        this.owner.set(dot.el, dot);
        this.dots.set(flight.key, dot);
        this.dress(dot, flight);
        place(dot, num(flight.x), num(flight.y));
        this.el.append(dot.el);
        fresh.push(dot);
      }
    }
    if (fresh.length && fresh.length + this.travelling <= MANY && this.pace() > 0) {
      const groups = new Map<string, Dot[]>();
      for (const dot of fresh) {
        const name = dot.flight.group || `\u0000${dot.flight.key}`;
        groups.set(name, [...(groups.get(name) ?? []), dot]);
      }
      for (const group of groups.values()) {
        this.send(group);
      }
    }
    this.number();
  }

  /** Copies of one message go at one speed, so that they are one dot until their ways part. */
  private send(group: Dot[]): void {
    const ends = group.map(({ flight }) => flight.t1 ?? flight.t0);
    const true_ms = 1000 * (Math.max(...ends) - Math.min(...group.map(({ flight }) => flight.t0)));
    const pace = this.pace();
    const longest = pace < 1 || group.some(({ flight }) => flight.exact) ? SLOWEST : LONGEST;
    const shortest = pace < 0.2 ? 2 * SHORTEST : SHORTEST;
    const duration = Math.min(longest, Math.max(shortest, true_ms / pace));
    const ways = group.map(({ flight }) => {
      const way = Way.along(flight.d);
      const stop = flight.stop === undefined ? 1 : Math.min(1, Math.max(0, num(flight.stop)));
      return { way, length: way.length * stop };
    });
    const speed = Math.max(...ways.map(({ length }) => length), 1) / duration;
    const start = performance.now();
    const share = ({ flight }: Dot): number => Math.min(1, Math.max(0, num(flight.delay)));
    const first = Math.min(...group.map(share)); // what it waits for may have been here before
    group.forEach((dot, i) => {
      const { way, length } = ways[i];
      if (!length) {
        return;
      }
      const delay = (share(dot) - first) * duration;
      dot.travels = true;
      this.travelling++;
      dot.el.classList.add('nl-travels');
      const draw = (now: number): boolean => {
        const gone = Math.max(0, now - start - delay) * speed;
        if (gone < length) {
          dot.el.toggleAttribute('hidden', now - start < delay);
          place(dot, ...way.at(gone));
          return true;
        }
        dot.el.removeAttribute('hidden');
        this.rest(dot, way, length);
        return false;
      };
      draw(start);
      this.clock.add(draw);
    });
  }

  /** From the end of its way to the place where the scene shows it. */
  private rest(dot: Dot, way: Way, length: number): void {
    dot.travels = false;
    this.travelling--;
    dot.el.classList.remove('nl-travels');
    const [x0, y0] = way.at(length);
    place(dot, x0, y0);
    if (dot.gone) {
      this.leave(dot);
      return;
    }
    const start = performance.now();
    this.clock.add(now => {
      const u = Math.min(1, (now - start) / CHANGE);
      const x = num(dot.flight.x);
      const y = num(dot.flight.y);
      place(dot, x0 + (x - x0) * u, y0 + (y - y0) * u);
      return u < 1 && !dot.gone;
    });
  }

  private leave(dot: Dot): void {
    dot.el.classList.add('nl-gone');
    const start = performance.now();
    this.clock.add(now => {
      const u = Math.min(1, (now - start) / CHANGE);
      dot.el.setAttribute('opacity', short(1 - u));
      if (u >= 1) {
        dot.el.remove();
      }
      return u < 1;
    });
  }

  private dress(dot: Dot, flight: Flight): void {
    dot.flight = flight;
    const { el } = dot;
    const r = flight.r === undefined ? 8 : Math.max(0, num(flight.r));
    const classes = safeClasses(flight.classes ?? 'flight fill');
    attr(el, 'aria-label', plain(flight.title ?? ''));
    attr(el, 'role', flight.title ? 'img' : '');
    el.classList.toggle('nl-named', Boolean(flight.title));
    const hollow = classes.split(' ').includes('edge');
    const parts: SVGElement[] = hollow
      ? [s('circle', { class: 'halo fill ground', r: short(r) }), s('circle', { class: classes, r: short(r), 'stroke-width': 1.75 })]
      : [s('circle', { class: `halo ${classes}`, r: short(r) })];
    if (flight.sign) {
      const on = hollow ? 't13 w6' : `t11 w6 on ${classes.split(' ').filter(c => c !== 'fill').join(' ')}`;
      parts.push(s('text', { class: 'nl-in middle', y: 4, 'aria-hidden': 'true' }, s('tspan', { class: on }, plain(flight.sign))));
    }
    if (flight.end === 'lost' || flight.end === 'refused') {
      const a = short(r * 0.42);
      const d = `M-${a} -${a}L${a} ${a}M${a} -${a}L-${a} ${a}`;
      const state = classes.split(' ').filter(c => c !== 'fill' && c !== 'edge').join(' ');
      parts.push(s('path', { d, class: `nl-cross ${state}`, 'stroke-width': 2 }));
    }
    parts.push(s('text', { class: 'nl-badge middle', y: 4, 'aria-hidden': 'true' }));
    if (flight.label) {
      const text = s('tspan', { class: 't11 w6' }, plain(flight.label));
      parts.push(s('text', { class: 'middle halo', y: short(-r - 7) }, text));
    }
    el.replaceChildren(...parts);
  }

  /** Badges say the order, for those who see no travel. */
  private number(): void {
    const inOrder = [...this.dots.values()].sort((a, b) => a.flight.t0 - b.flight.t0);
    inOrder.forEach((dot, i) => {
      const badge = dot.el.querySelector('.nl-badge');
      if (badge && badge.textContent !== String(i + 1)) {
        badge.textContent = String(i + 1);
      }
    });
  }
}

function place(dot: Dot, x: number, y: number): void {
  dot.el.setAttribute('transform', `translate(${short(x)} ${short(y)})`);
}
