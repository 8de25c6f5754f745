// The bars above and under the picture: the name, the banner of the past, buttons that act and their answer.

import { h, plain, s, say } from './dom';
import { Layer, type Ground } from './marks';
import { duration } from './track';
import type { Act, Mark } from './wire';

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
  private marks: Layer;

  constructor(ground: Ground, width: number, height: number) {
    const layer = s('g');
    this.marks = new Layer(layer, ground, null, false);
    const box = `0 0 ${width} ${height}`;
    this.picture = s('svg', { class: 'nl-head-picture', viewBox: box, role: 'presentation' }, layer);
    this.el = h('div', { class: 'nl-header' }, this.picture, h('div', { class: 'nl-header-buttons' }, this.legend, this.table));
  }

  show(marks: Mark[]): void {
    this.marks.replace(marks);
  }
}

/** Says that the picture shows the past. */
export class Banner {
  readonly el: HTMLElement;
  onBack: () => void = () => undefined;
  private text = h('strong');
  private rest = h('span');

  constructor(signal: AbortSignal) {
    const back = h('button', { type: 'button', class: 'nl-button nl-strong' }, 'Back to live ', key('L'));
    this.el = h('div', { class: 'nl-banner', hidden: true }, h('span', {}, this.text, this.rest), back);
    back.addEventListener('click', () => this.onBack(), { signal });
  }

  /** `behind` in seconds; 0 when the picture does not show the past. `over`: the lab has ended. */
  show(behind: number, over = false): void {
    this.el.hidden = behind < 0.05;
    if (!this.el.hidden) {
      const past = behind < 120 ? `${behind.toFixed(1)} s` : duration(behind);
      say(this.text, `Showing ${past} ${over ? 'before the end' : 'ago'}.`);
      say(this.rest, over ? ' The lab has ended.' : ' The servers are live.');
    }
  }
}

/** What an action answered when it failed. */
export class Notice {
  readonly el: HTMLElement;
  private line = h('code');
  private text = h('span');

  constructor(signal: AbortSignal) {
    const close = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'close' }, '×');
    this.el = h('div', { class: 'nl-notice', role: 'alert', hidden: true }, this.line, this.text, close);
    close.addEventListener('click', () => this.hide(), { signal });
  }

  show(line: string, error: string): void {
    say(this.line, plain(line));
    say(this.text, plain(error));
    this.el.hidden = false;
  }

  hide(): void {
    this.el.hidden = true;
  }
}

/** The view's own buttons, each a line that a learner could type. */
export class Controls {
  readonly el = h('div', { class: 'nl-controls', hidden: true });
  onAct: (i: number) => void = () => undefined;
  private lines = '';

  constructor(signal: AbortSignal) {
    this.el.addEventListener(
      'click',
      event => {
        const button = (event.target as Element).closest<HTMLElement>('[data-act]');
        if (button) {
          this.onAct(Number(button.dataset.act));
        }
      },
      { signal }
    );
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
