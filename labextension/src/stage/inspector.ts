// One mark from near: its sentence, its facts, and what can be done with it.

import { h, plain, say } from './dom';
import { drawLife } from './life';
import type { Act, Mark } from './wire';

const SIDE = 16; // px between the card and the frame's sides
const TIP = 12; // px between the card and its mark
const CORNER = 30; // px from a side of the card to the middle of its mark, at least

/** A field's name in words. */
function words(name: string): string {
  return name.replace(/[_-]+/g, ' ');
}

function value(raw: unknown): string {
  if (raw === null || raw === undefined || raw === '') {
    return '–';
  }
  if (Array.isArray(raw)) {
    return raw.length ? raw.map(value).join(', ') : '–';
  }
  if (typeof raw === 'boolean') {
    return raw ? 'yes' : 'no';
  }
  if (typeof raw === 'number') {
    return String(Math.round(raw * 1e6) / 1e6);
  }
  return typeof raw === 'object' ? JSON.stringify(raw) : String(raw);
}

/** A fact that is a name of something on the wire, so in fixed width. */
export const CODE = /subject|pattern|filter|reply|inbox|queue|header|payload|data|id$/;

export class Inspector {
  readonly el: HTMLElement;
  key = '';
  onClose: () => void = () => undefined;
  onAct: (key: string, i: number) => void = () => undefined;

  private tip = h('span', { class: 'nl-tip' });
  private title = h('p', { class: 'nl-card-title' });
  private more = h('p', { class: 'nl-card-more' });
  private facts = h('dl');
  private life = h('div', { class: 'nl-life' });
  private actions = h('div', { class: 'nl-acts' });
  private close = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'Esc: close' }, 'Esc');
  private lines = '';
  private side = ''; // of its mark

  constructor(signal: AbortSignal) {
    this.el = h(
      'div',
      { class: 'nl-card', role: 'dialog', 'aria-label': 'Inspector', tabindex: -1, hidden: true },
      this.tip,
      h('div', { class: 'nl-card-head' }, this.title, this.close),
      this.more,
      this.facts,
      this.life,
      this.actions
    );
    this.close.addEventListener('click', () => this.onClose(), { signal });
    this.actions.addEventListener('click', event => this.clicked(event), { signal });
  }

  get open(): boolean {
    return !this.el.hidden;
  }

  show(mark: Pick<Mark, 'key' | 'title' | 'state' | 'actions' | 'life'>, live: boolean): void {
    if (this.key !== mark.key) {
      [this.key, this.side] = [mark.key, ''];
    }
    // The first sentence names it, the others say more.
    const [, first, rest] = /^(.*?[.!?])\s+(.+)$/s.exec(mark.title ?? '') ?? ['', mark.title || mark.key, ''];
    say(this.title, plain(first));
    say(this.more, plain(rest));
    this.more.hidden = !rest;
    const facts = Object.entries(mark.state ?? {}).map(([name, raw]) =>
      h('div', {}, h('dt', {}, plain(words(name))), h('dd', CODE.test(name) ? { class: 'nl-mono' } : {}, plain(value(raw))))
    );
    this.facts.hidden = !facts.length;
    this.facts.replaceChildren(...facts);
    this.life.replaceChildren(...drawLife(mark.life ?? []));
    this.life.hidden = !mark.life?.length;
    const acts = mark.actions ?? [];
    const lines = JSON.stringify([mark.key, acts]);
    if (lines !== this.lines) {
      this.lines = lines;
      this.actions.replaceChildren(...acts.map((act, i) => this.action(act, i)));
    }
    this.actions.hidden = !acts.length;
    for (const button of this.actions.querySelectorAll<HTMLButtonElement>('[data-act]')) {
      button.disabled = !live;
      button.title = live ? '' : 'only while live';
    }
    this.el.hidden = false;
  }

  hide(): void {
    this.el.hidden = true;
    this.key = '';
    this.lines = '';
  }

  /**
   * Put the card at a mark, inside the frame: under it or above it, wherever it covers the fewest
   * marks that explain themselves. It stays on that side while it is open and has room there.
   * Over what follows the picture the card may lie, down to `floor`. `room` is what the picture
   * was made taller before; returns how much taller it has to be now.
   */
  place(mark: Element, picture: Element, floor: Element, room: number): number {
    const { offsetWidth: width, offsetHeight: height } = this.el;
    const frame = this.el.parentElement?.getBoundingClientRect() ?? new DOMRect();
    const at = mark.getBoundingClientRect();
    const body = picture.getBoundingClientRect();
    const middle = at.left + at.width / 2 - frame.left;
    const below = at.bottom - frame.top + TIP;
    const above = at.top - frame.top - TIP - height;
    const fits = below + height <= floor.getBoundingClientRect().top - frame.top - room - 8;
    const places = [middle - width / 2, middle - CORNER, middle - width + CORNER].flatMap((x, i) => {
      const left = Math.max(SIDE, Math.min(x, frame.width - width - SIDE));
      const under = { side: `below ${i}`, left, top: below };
      const over = { side: `above ${i}`, left, top: above };
      return [...(fits ? [under] : []), ...(above >= TIP / 2 ? [over] : [])];
    });
    let chosen = places.find(({ side }) => side === this.side);
    if (!chosen) {
      const others = [...picture.querySelectorAll('[aria-label]')]
        .filter(el => !el.contains(mark) && !mark.contains(el) && !el.querySelector('[aria-label]'))
        .map(el => el.getBoundingClientRect());
      const covers = ({ left, top }: { left: number; top: number }): number => {
        const [x, y] = [left + frame.left, top + frame.top];
        return others.filter(o => o.left < x + width && o.right > x && o.top < y + height && o.bottom > y).length;
      };
      const counted = places.map(place => ({ place, many: covers(place) })).sort((p, q) => p.many - q.many);
      chosen = counted[0]?.place ?? { side: '', left: Math.max(SIDE, Math.min(middle - width / 2, frame.width - width - SIDE)), top: below };
      this.side = chosen.side;
    }
    const { left, top, side } = chosen;
    this.el.style.left = `${left}px`;
    this.el.style.top = `${top}px`;
    this.el.classList.toggle('nl-up', side.startsWith('above'));
    this.tip.style.left = `${Math.max(18, Math.min(width - 18, middle - left))}px`;
    return side ? 0 : Math.max(0, below + height + TIP - (body.bottom - frame.top - room));
  }

  private action(act: Act, i: number): HTMLElement {
    return h(
      'div',
      { class: 'nl-act' },
      h('button', { type: 'button', class: 'nl-button', 'data-act': i }, plain(act.label)),
      h('code', {}, plain(act.line)),
      h('button', { type: 'button', class: 'nl-copy', 'data-copy': i, 'aria-label': `copy: ${plain(act.line)}` }, 'copy')
    );
  }

  private clicked(event: Event): void {
    const button = (event.target as Element).closest('button');
    if (button?.dataset.act !== undefined) {
      this.onAct(this.key, Number(button.dataset.act));
    } else if (button?.dataset.copy !== undefined) {
      const code = button.previousElementSibling as HTMLElement;
      void copy(code).then(done => say(button, done ? 'copied' : 'selected'));
    }
  }
}

/** Copy the text of an element; where that is forbidden, select it. */
async function copy(code: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(code.textContent ?? '');
    return true;
  } catch {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection()?.removeAllRanges();
    getSelection()?.addRange(range);
    return false;
  }
}
