// Says the sentence of the picture to screen readers: politely, and not more than every two seconds.

import { h, plain } from './dom';

const PAUSE = 2000;

export class Announcer {
  readonly el = h('div', { class: 'nl-sr', role: 'log', 'aria-live': 'polite', 'aria-atomic': 'true' });
  private said = '';
  private next = '';
  private at = -PAUSE;
  private timer = 0;

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => clearTimeout(this.timer), { once: true });
  }

  say(text: string): void {
    this.next = plain(text);
    if (this.next === this.said || this.timer) {
      return;
    }
    const wait = this.at + PAUSE - performance.now();
    if (wait > 0) {
      this.timer = window.setTimeout(() => this.speak(), wait);
    } else {
      this.speak();
    }
  }

  private speak(): void {
    this.timer = 0;
    if (this.next !== this.said) {
      this.said = this.next;
      this.at = performance.now();
      this.el.textContent = this.said;
    }
  }
}
