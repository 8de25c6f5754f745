// The bars above and under the picture: the name, the banner of the past, buttons that act and their answer.

import { attr, h, icon, onAct, plain, s, say, short } from './dom';
import { Layer, type Ground } from './marks';
import { duration } from './track';
import type { Act, Cursor, Head, Mark } from './wire';

function key(text: string): HTMLElement {
  return h('kbd', { class: 'nl-key' }, text);
}

function toggle(word: string, shortcut: string): HTMLButtonElement {
  const inside = [h('span', {}, word), ' ', key(shortcut)];
  return h('button', { type: 'button', class: 'nl-toggle', 'aria-pressed': 'false' }, ...inside);
}

/** Name, servers and sources as the kernel draws them, and what can be opened. */
export class Header {
  readonly el: HTMLElement;
  readonly picture: SVGSVGElement;
  readonly legend = toggle('Legend', '?');
  readonly table = toggle('Table', 'T');
  /** Shown only where somebody can put the view beside its notebook. */
  readonly dock = h(
    'button',
    { type: 'button', class: 'nl-dock', 'aria-label': 'Show beside the notebook', title: 'Show beside the notebook' },
    icon('M2.5 3.5h11v9h-11zM9.5 3.5v9', 16)
  );
  private marks: Layer;

  constructor(ground: Ground) {
    const layer = s('g');
    this.marks = new Layer(layer, ground, null, false);
    this.picture = s('svg', { class: 'nl-head-picture', role: 'presentation' }, layer);
    this.el = h('div', { class: 'nl-header' }, this.picture, h('div', { class: 'nl-header-buttons' }, this.legend, this.table, this.dock));
  }

  show(marks: Mark[]): void {
    this.marks.replace(marks);
  }

  resize({ width }: Head): void {
    attr(this.picture, 'viewBox', `0 0 ${short(width)} 44`);
  }
}

/** Says that the picture shows the past. */
export class Banner {
  readonly el: HTMLElement;
  onBack: () => void = () => undefined;
  private text = h('strong');
  private rest = h('span');
  private where = h('span');

  constructor(signal: AbortSignal) {
    const back = h('button', { type: 'button', class: 'nl-button nl-strong' }, this.where, ' ', key('L'));
    this.el = h('div', { class: 'nl-banner', hidden: true }, h('span', {}, this.text, this.rest), back);
    back.addEventListener('click', () => this.onBack(), { signal });
  }

  /** `behind` in seconds; 0 when the picture does not show the past. */
  show(behind: number, { over = false, recorded = false, shows = '', mode, speed = 1 }: Partial<Cursor> = {}): void {
    this.el.hidden = behind < 0.05;
    if (this.el.hidden) {
      return;
    }
    if (shows && mode === 'replay') {
      say(this.text, `${sentence(plain(shows))}, ${speed < 1 ? `${Math.round(1 / speed)} times slower` : 'once more'}.`);
      say(this.rest, ' Then all views are back at now.');
      say(this.where, 'Back to now');
      return;
    }
    const past = behind < 120 ? `${behind.toFixed(1)} s` : duration(behind);
    say(this.text, `Showing ${past} ${over ? 'before the end' : 'ago'}.`);
    say(this.rest, recorded ? ' This is a recording.' : over ? ' The lab has ended.' : ' The servers are live.');
    say(this.where, over ? 'To the end' : 'Back to live');
  }
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const PATIENCE = 250; // ms until it is said that a line still runs

function run(lines: string[]): string {
  return lines.length > 1 ? 'run …' : 'runs …';
}

/** Lines that were sent: that they run, when it takes a while, and what one answered when it failed. */
export class Notice {
  readonly el: HTMLElement;
  private line = h('code');
  private text = h('span');
  private close = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'close' }, '×');
  private timer = 0;
  private lines: string[] = [];
  private left: string[] = []; // those that still run
  private failed: [line: string, error: string] | null = null;

  constructor(signal: AbortSignal) {
    this.el = h('div', { class: 'nl-notice', role: 'alert', hidden: true }, this.line, this.text, this.close);
    this.close.addEventListener('click', () => this.hide(), { signal });
    signal.addEventListener('abort', () => clearTimeout(this.timer), { once: true });
  }

  /** Lines were sent to the kernel; `tell` that they were done where nobody saw them before. */
  wait(lines: string[], tell = false): void {
    this.hide();
    [this.lines, this.left, this.failed] = [tell ? lines : [], lines, null];
    this.timer = window.setTimeout(() => this.draw(lines, run(lines), 'busy'), PATIENCE);
  }

  /** One was done; `error` is empty when nothing went wrong. */
  done(line: string, error: string): void {
    this.failed = error ? [line, error] : this.failed;
    this.left = this.left.filter(other => other !== line);
    if (this.left.length) {
      return;
    }
    this.hide();
    if (this.failed) {
      this.draw([this.failed[0]], this.failed[1], 'failed');
    } else if (this.lines.length) {
      this.draw(this.lines, 'done', 'done');
    }
    [this.lines, this.failed] = [[], null];
  }

  hide(): void {
    clearTimeout(this.timer);
    this.el.hidden = true;
  }

  private draw(lines: string[], text: string, how: 'busy' | 'done' | 'failed'): void {
    say(this.line, plain(lines.join('\n')));
    say(this.text, plain(text));
    this.el.classList.toggle('nl-busy', how === 'busy');
    this.el.classList.toggle('nl-done', how === 'done');
    this.close.hidden = how === 'busy';
    this.el.hidden = false;
  }
}

/** The view's own buttons, each a line that a learner could type. */
export class Controls {
  readonly el = h('div', { class: 'nl-controls', hidden: true });
  onAct: (i: number) => void = () => undefined;
  private lines = '';

  constructor(signal: AbortSignal) {
    onAct(this.el, signal, i => this.onAct(i));
  }

  show(controls: Act[], live: boolean): void {
    const lines = JSON.stringify(controls);
    if (this.lines !== lines) {
      this.lines = lines;
      const button = { type: 'button', class: 'nl-button' };
      this.el.replaceChildren(...controls.map(({ label }, i) => h('button', { ...button, 'data-act': i }, plain(label))));
      this.el.hidden = !controls.length;
    }
    controls.forEach(({ line }, i) => {
      const button = this.el.children[i] as HTMLButtonElement;
      button.disabled = !live;
      button.title = live ? plain(line) : 'only while live';
    });
  }
}
