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
  show(behind: number, { over = false, recorded = false }: Partial<Cursor> = {}): void {
    this.el.hidden = behind < 0.05;
    if (!this.el.hidden) {
      const past = behind < 120 ? `${behind.toFixed(1)} s` : duration(behind);
      say(this.text, `Showing ${past} ${over ? 'before the end' : 'ago'}.`);
      say(this.rest, recorded ? ' This is a recording.' : over ? ' The lab has ended.' : ' The servers are live.');
      say(this.where, over ? 'To the end' : 'Back to live');
    }
  }
}

const PATIENCE = 250; // ms until it is said that a line still runs

/** The line of a button: that it runs, when it takes a while, and what it answered when it failed. */
export class Notice {
  readonly el: HTMLElement;
  private line = h('code');
  private text = h('span');
  private close = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'close' }, '×');
  private timer = 0;

  constructor(signal: AbortSignal) {
    this.el = h('div', { class: 'nl-notice', role: 'alert', hidden: true }, this.line, this.text, this.close);
    this.close.addEventListener('click', () => this.hide(), { signal });
    signal.addEventListener('abort', () => clearTimeout(this.timer), { once: true });
  }

  /** A line was sent to the kernel. */
  wait(line: string): void {
    this.hide();
    this.timer = window.setTimeout(() => this.draw(line, 'runs …', true), PATIENCE);
  }

  /** It was done; `error` is empty when nothing went wrong. */
  done(line: string, error: string): void {
    this.hide();
    if (error) {
      this.draw(line, error, false);
    }
  }

  hide(): void {
    clearTimeout(this.timer);
    this.el.hidden = true;
  }

  private draw(line: string, text: string, busy: boolean): void {
    say(this.line, plain(line));
    say(this.text, plain(text));
    this.el.classList.toggle('nl-busy', busy);
    this.close.hidden = busy;
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
