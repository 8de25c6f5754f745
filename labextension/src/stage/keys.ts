// The keys of a view. They work only while it has the focus, and what they do not use goes on.

import { h, plain, say } from './dom';

export interface Keys {
  toggle(): void;
  step(by: 1 | -1, burst: boolean): void;
  pace(by: 1 | -1): void;
  slow(): void;
  live(): void;
  open(): void;
  table(): void;
  legend(): void;
  filter(): void;
  ghosts(): void;
  leave(): void;
  walk(by: 1 | -1): void;
  zoom(factor: number): void;
  unzoom(): void;
}

/** Do what a key asks for; returns whether it asked for anything. */
export function press(event: KeyboardEvent, keys: Keys): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return false;
  }
  const target = event.target as HTMLElement;
  const onButton = target instanceof HTMLButtonElement;
  if (onButton && (event.key === 'Enter' || event.key === ' ')) {
    return false;
  }
  switch (event.key) {
    case ' ':
      keys.toggle();
      return true;
    case 'ArrowLeft':
      keys.step(-1, event.shiftKey);
      return true;
    case 'ArrowRight':
      keys.step(1, event.shiftKey);
      return true;
    case 'ArrowUp':
    case 'ArrowDown':
      if (target.classList.contains('nl-table')) {
        return false; // it scrolls
      }
      keys.walk(event.key === 'ArrowUp' ? -1 : 1);
      return true;
    case '[':
      keys.pace(1);
      return true;
    case ']':
      keys.pace(-1);
      return true;
    case 'b':
    case 'B':
      keys.slow();
      return true;
    case 'l':
    case 'L':
      keys.live();
      return true;
    case 't':
    case 'T':
      keys.table();
      return true;
    case '?':
      keys.legend();
      return true;
    case 'f':
    case 'F':
      keys.filter();
      return true;
    case 'g':
    case 'G':
      keys.ghosts();
      return true;
    case 'Enter':
      keys.open();
      return true;
    case 'Escape':
      keys.leave();
      return true;
    case '+':
    case '=':
      keys.zoom(1.25);
      return true;
    case '-':
      keys.zoom(0.8);
      return true;
    case '0':
      keys.unzoom();
      return true;
    default:
      return false;
  }
}

/** The row that says so. */
export class KeyRow {
  readonly el: HTMLElement;
  private does = h('span');
  private drag = h('span', { hidden: true }, h('kbd', { class: 'nl-key' }, 'drag'), this.does);

  constructor() {
    const rows: [keys: string[], does: string, held?: string][] = [
      [['Space'], 'pause', 'go on'],
      [['←', '→'], 'step'],
      [['⇧ ←', '⇧ →'], 'far step'],
      [['[', ']'], 'speed'],
      [['B'], 'slow motion'],
      [['L'], 'live'],
      [['F'], 'filter'],
      [['G'], 'ghosts'],
      [['↑', '↓'], 'walk'],
      [['Enter'], 'inspect'],
      [['+', '−', '0'], 'zoom'],
      [['Esc'], 'leave']
    ];
    const words = rows.map(([keys, does, held]) =>
      h(
        'span',
        {},
        ...keys.map(key => h('kbd', { class: 'nl-key' }, key)),
        h('span', { class: held ? 'nl-moving' : '' }, does),
        ...(held ? [h('span', { class: 'nl-held' }, held)] : [])
      )
    );
    this.el = h('div', { class: 'nl-keys', 'aria-hidden': 'true' }, ...words, this.drag);
  }

  /** What a line that is drawn across marks does to them; '' where it does nothing. */
  cross(label: string): void {
    this.drag.hidden = !label;
    say(this.does, plain(`${label.toLowerCase()} what the line crosses`));
  }
}
