// The keyboard's way through the marks: one of them is a stop of the Tab key, arrows walk to the others.

import { opens, type Item } from './marks';
import type { Picture } from './picture';

export class Focus {
  private key = ''; // the mark that Tab comes back to

  constructor(
    private root: HTMLElement,
    private picture: Picture
  ) {}

  /** What has the focus, also inside a shadow tree. */
  get active(): Element | null {
    return (this.root.getRootNode() as Document | ShadowRoot).activeElement;
  }

  /** The mark that has it. */
  get item(): Item | null {
    const { active, picture } = this;
    return (active && picture.world.contains(active) && picture.ground.owner.get(active)) || null;
  }

  /** A new order of elements must not lose the focus; a mark that leaves hands it to the view. */
  keep(change: () => void): void {
    const before = this.item;
    change();
    if (before) {
      const now = this.picture.ground.index.get(before.key);
      if (!now) {
        this.root.focus({ preventScroll: true });
      } else if (this.active !== now.el) {
        now.el.focus({ preventScroll: true });
      }
    }
    this.rove();
  }

  /** Go to the next or the previous mark. */
  walk(by: 1 | -1): void {
    const all = [...this.picture.marks.walk()].filter(({ mark }) => opens(mark));
    const now = this.item;
    const at = now ? all.indexOf(now) + by : by > 0 ? 0 : all.length - 1;
    const next = all[Math.max(0, Math.min(all.length - 1, at))];
    if (next) {
      this.stopAt(next);
      next.el.focus();
    }
  }

  /** Make a mark the stop of the Tab key. */
  stopAt(item: Item): void {
    const old = this.picture.ground.index.get(this.key);
    if (old && old !== item && opens(old.mark)) {
      old.el.setAttribute('tabindex', '-1');
    }
    this.key = item.key;
    item.el.setAttribute('tabindex', '0');
  }

  private rove(): void {
    const now = this.picture.ground.index.get(this.key);
    if (now && opens(now.mark)) {
      now.el.setAttribute('tabindex', '0');
      return;
    }
    for (const item of this.picture.marks.walk()) {
      if (opens(item.mark)) {
        this.stopAt(item);
        return;
      }
    }
  }
}
