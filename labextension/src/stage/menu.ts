// What can be done with one mark, beside it: each a line that a learner could type, and a letter.

import { h, icon, onAct, plain } from './dom';
import { glyph } from './track';
import type { Act, Mark } from './wire';

const SIDE = 8; // px between the menu and the frame's sides
const TIP = 9; // px between the menu and its mark

export class Menu {
  readonly el = h('div', { class: 'nl-menu', role: 'menu', tabindex: -1, hidden: true });
  key = '';
  onAct: (key: string, i: number) => void = () => undefined;
  onInspect: (key: string) => void = () => undefined;
  onClose: () => void = () => undefined;

  private tip = h('span', { class: 'nl-tip' });
  private acts: Act[] = [];
  private drawing = false;

  constructor(signal: AbortSignal) {
    onAct(this.el, signal, i => this.choose(i));
    this.el.addEventListener('keydown', event => this.press(event), { signal });
    this.el.addEventListener(
      'focusout',
      event => {
        if (this.open && !this.drawing && !this.el.contains(event.relatedTarget as Node | null)) {
          this.onClose();
        }
      },
      { signal }
    );
  }

  get open(): boolean {
    return !this.el.hidden;
  }

  /** The actions of a mark; the last row shows it from near. */
  show(mark: Mark, live: boolean): void {
    this.key = mark.key;
    const acts = mark.actions ?? [];
    const lines = JSON.stringify([mark.key, acts, live]);
    if (this.el.dataset.lines !== lines) {
      this.el.dataset.lines = lines;
      this.acts = acts;
      const rows = acts.map((act, i) => this.row(act, i, live));
      const root = this.el.getRootNode() as Document | ShadowRoot;
      const at = this.buttons.indexOf(root.activeElement as HTMLButtonElement);
      this.drawing = true;
      this.el.replaceChildren(this.tip, ...rows, this.row({ line: '', label: 'Look closer', key: 'I', sign: '' }, -1, true));
      if (at >= 0) {
        (this.buttons[at] ?? this.el).focus({ preventScroll: true });
      }
      this.drawing = false;
    }
    this.el.setAttribute('aria-label', plain(mark.title ?? ''));
    this.el.hidden = false;
  }

  hide(): void {
    this.el.hidden = true;
    this.key = '';
    this.el.dataset.lines = '';
  }

  /** The first row that can be used. */
  focus(): void {
    (this.buttons[0] ?? this.el).focus({ preventScroll: true });
  }

  /** Under its mark, or above where there is no room; inside the frame. */
  place(mark: Element, floor: Element): void {
    const { offsetWidth: width, offsetHeight: height } = this.el;
    const frame = this.el.parentElement?.getBoundingClientRect() ?? new DOMRect();
    const at = mark.getBoundingClientRect();
    const middle = at.left + at.width / 2 - frame.left;
    const left = Math.max(SIDE, Math.min(middle - width / 2, frame.width - width - SIDE));
    const below = at.bottom - frame.top + TIP;
    const up = below + height > floor.getBoundingClientRect().top - frame.top;
    this.el.style.left = `${left}px`;
    this.el.style.top = `${up ? Math.max(SIDE, at.top - frame.top - TIP - height) : below}px`;
    this.el.classList.toggle('nl-up', up);
    this.tip.style.left = `${Math.max(14, Math.min(width - 14, middle - left))}px`;
  }

  /** Do what a letter stands for; returns whether there is such a letter. */
  letter(key: string): boolean {
    const wanted = key.toUpperCase();
    const at = this.acts.findIndex(act => act.key?.toUpperCase() === wanted);
    if (at < 0 && wanted !== 'I') {
      return false;
    }
    this.choose(at);
    return true;
  }

  private get buttons(): HTMLButtonElement[] {
    return [...this.el.querySelectorAll<HTMLButtonElement>('button:not(:disabled)')];
  }

  private choose(i: number): void {
    const { key } = this;
    const button = this.el.querySelector<HTMLButtonElement>(`[data-act="${i}"]`);
    if (!key || !button || button.disabled) {
      return;
    }
    this.onClose();
    if (i < 0) {
      this.onInspect(key);
    } else {
      this.onAct(key, i);
    }
  }

  private press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const { buttons } = this;
    const at = buttons.indexOf(event.target as HTMLButtonElement);
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const by = event.key === 'ArrowDown' ? 1 : -1;
      buttons[(at + by + buttons.length) % buttons.length]?.focus();
    } else if (event.key === 'Escape') {
      this.onClose();
    } else if (event.key === 'Enter' || event.key === ' ' || event.key === 'Tab') {
      event.stopPropagation(); // the button's own
      return;
    } else if (event.key.length !== 1 || !this.letter(event.key)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private row(act: Act, i: number, live: boolean): HTMLElement {
    const drawn = glyph(act.sign ?? '');
    const sign = drawn ? icon(drawn.d, 16, { 'stroke-width': 1.75, transform: 'translate(8 -18)', ...drawn.more }) : plain(act.sign ?? '');
    const attrs = { type: 'button', class: 'nl-row', role: 'menuitem', 'data-act': i, disabled: !live };
    return h(
      'button',
      { ...attrs, title: live ? plain(act.line) : 'only while live' },
      h('span', { class: 'nl-menu-sign' }, sign),
      h('span', { class: 'nl-menu-word' }, plain(act.label)),
      h('span', { class: 'nl-menu-key' }, plain(act.key ?? ''))
    );
  }
}
