// One line about what is pointed at. Screen readers have the same text as the mark's name.

import { h, plain, say } from './dom';

export class Bubble {
  readonly el = h('div', { class: 'nl-bubble', 'aria-hidden': 'true', hidden: true });
  private named: Element | null = null; // what it hangs on, when no pointer holds it

  /** Show text with its tip at a point of the window, inside the frame that holds the bubble. */
  show(text: string, x: number, y: number): void {
    this.named = null;
    const frame = this.el.parentElement?.getBoundingClientRect();
    if (!frame) {
      return;
    }
    say(this.el, plain(text));
    this.el.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.el;
    const left = Math.max(8, Math.min(frame.width - width - 8, x - frame.left - width / 2));
    this.el.style.left = `${left}px`;
    this.el.style.top = `${y - frame.top - height - 6}px`;
  }

  /** Name an element: a large one where the pointer is, a small one above itself. */
  name(text: string, el: Element, pointer?: { clientX: number; clientY: number }): void {
    const box = el.getBoundingClientRect();
    if (pointer && (box.width > 400 || box.height > 80)) {
      this.show(text, pointer.clientX, pointer.clientY - 8);
    } else {
      this.show(text, box.left + box.width / 2, box.top - 4);
      this.named = pointer ? null : el;
    }
  }

  /** Stay with a named element that moved, or that is called something else now. */
  follow(text: string): void {
    if (this.named && !this.el.hidden) {
      this.name(text, this.named);
    }
  }

  hide(): void {
    this.el.hidden = true;
  }
}
