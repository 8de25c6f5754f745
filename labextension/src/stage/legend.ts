// The legend: what the picture's marks mean. An entry is also a filter, the switch adds textures.

import { attr, h, plain, s, short } from './dom';
import { Layer, type Ground, type Item } from './marks';
import type { Head, Mark } from './wire';

/** Classes that say what a mark is; the others only say how it is painted. */
const MEANING = new Set('stored flight done retry dead inferred bet stale open diff ghost wall odd even'.split(' '));
/** Room for the switch right of the entries. */
const SWITCH = 130;

export class Legend {
  readonly el: HTMLElement;
  /** The filter, the room or the textures changed. */
  onChange: () => void = () => undefined;
  /** Which marks the chosen entry stands for; null when none is chosen. */
  filter: ((item: Item) => boolean) | null = null;
  open = true;
  patterns = false;

  private chosen = '';
  private picture: SVGSVGElement;
  private width = 900;
  private height = 44;
  private marks: Layer;
  private toggle = h(
    'button',
    { type: 'button', class: 'nl-switch', role: 'switch', 'aria-checked': 'false' },
    h('span', {}, 'patterns'),
    h('span', { class: 'nl-knob' })
  );

  constructor(ground: Ground, signal: AbortSignal) {
    const layer = s('g');
    this.marks = new Layer(layer, ground, null, false);
    const picture = s('svg', { class: 'nl-legend-picture', role: 'presentation' }, layer);
    this.picture = picture;
    this.el = h('div', { class: 'nl-legend', hidden: true }, h('div', { class: 'nl-scroll' }, picture), this.toggle);
    const choose = (event: Event): boolean => {
      for (let el = event.target as Element | null; el && el !== picture; el = el.parentElement) {
        const item = ground.owner.get(el);
        if (item?.parent === this.marks && item.mark.kind === 'group') {
          this.choose(item.mark);
          return true;
        }
      }
      return false;
    };
    picture.addEventListener('click', choose, { signal });
    picture.addEventListener(
      'keydown',
      event => {
        if ((event.key === 'Enter' || event.key === ' ') && choose(event)) {
          event.preventDefault();
          event.stopPropagation();
        }
      },
      { signal }
    );
    this.toggle.addEventListener(
      'click',
      () => {
        this.patterns = !this.patterns;
        this.toggle.setAttribute('aria-checked', String(this.patterns));
        this.onChange();
      },
      { signal }
    );
  }

  show(marks: Mark[]): void {
    this.marks.replace(marks);
    this.draw();
  }

  resize({ width, foot }: Head): void {
    if (width !== this.width || foot !== this.height || !this.picture.hasAttribute('viewBox')) {
      this.width = width;
      this.height = foot;
      this.picture.setAttribute('viewBox', `0 0 ${short(width)} ${short(foot || 44)}`);
      this.draw();
    }
  }

  toggleOpen(): void {
    this.open = !this.open;
    if (!this.open) {
      this.chosen = '';
      this.filter = null;
    }
    this.draw();
    this.onChange();
  }

  /** Choose the next entry; after the last one, none. Returns what is shown then. */
  next(): string {
    const entries = [...this.marks.items.values()].map(({ mark }) => mark).filter(mark => mark.kind === 'group');
    const at = entries.findIndex(({ key }) => key === this.chosen);
    const entry = entries[at + 1];
    if (!this.open) {
      this.toggleOpen();
    }
    if (entry) {
      this.choose(entry);
      return words(entry).trim();
    }
    if (at >= 0) {
      this.choose(entries[at]);
    }
    return '';
  }

  /** The entry that an element of it belongs to. */
  entry(inside: Element): { mark: Mark; el: Element } | null {
    const el = inside.closest('.nl-entry');
    const mark = el && [...this.marks.items.values()].find(item => item.el === el)?.mark;
    return el && mark ? { mark, el } : null;
  }

  private choose(entry: Mark): void {
    this.chosen = this.chosen === entry.key ? '' : entry.key;
    this.filter = this.chosen ? matcher(entry) : null;
    this.draw();
    this.onChange();
  }

  private draw(): void {
    const { items } = this.marks;
    this.el.hidden = !items.size || !this.open;
    let right = 0;
    for (const { el, mark } of items.values()) {
      if (mark.kind === 'group') {
        el.classList.add('nl-entry');
        el.setAttribute('tabindex', '0');
        el.setAttribute('role', 'button');
        el.setAttribute('aria-label', plain(`show only ${words(mark).trim()}`));
        attr(el, 'aria-description', plain(mark.title ?? ''));
        el.setAttribute('aria-pressed', String(mark.key === this.chosen));
        right = Math.max(right, ...mark.marks.map(end));
      }
    }
    this.el.classList.toggle('nl-wide', right > this.width - SWITCH || this.height > 44);
    this.el.classList.toggle('nl-filtering', this.filter !== null);
  }
}

/** The text of a mark and what it holds. */
function words(mark: Mark): string {
  if (mark.kind === 'text') {
    return mark.runs.map(([text]) => text).join('');
  }
  return mark.kind === 'group' ? mark.marks.map(words).join('') : '';
}

/** Where a mark of the legend ends, near enough. */
function end(mark: Mark): number {
  return mark.kind === 'text' ? mark.x + words(mark).length * 7.5 : 0;
}

function classesOf(mark: Mark): string[] {
  const own = (mark.classes ?? '').split(' ').filter(Boolean);
  return mark.kind === 'group' ? [...own, ...mark.marks.flatMap(classesOf)] : own;
}

/** Whether a mark is of the kind that a legend entry shows. */
function matcher(entry: Mark): (item: Item) => boolean {
  const all = classesOf(entry);
  const meant = all.filter(name => MEANING.has(name));
  const wanted = meant.length ? meant : all;
  return ({ mark }) => {
    if (mark.kind === 'group' || !wanted.length) {
      return false;
    }
    const names = new Set((mark.classes ?? '').split(' '));
    return wanted.every(name => names.has(name));
  };
}
