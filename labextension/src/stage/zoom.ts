// Zoom and pan of the picture. A plain wheel belongs to the page; a drag pans only what is zoomed, and not with Shift.

import { h, short, swallowClick } from './dom';

const MOST = 8;

function button(text: string, does: string): HTMLButtonElement {
  return h('button', { type: 'button', class: 'nl-key', 'aria-label': does }, text);
}

export class Zoom {
  /** The twins of wheel and keys. */
  readonly el: HTMLElement;
  k = 1;
  onChange: () => void = () => undefined;
  private x = 0;
  private y = 0;
  private from: { id: number; x: number; y: number; moved: boolean } | null = null;

  /** `layer` holds everything that zooms; `svg` shows it. */
  constructor(
    private svg: SVGSVGElement,
    private layer: SVGGElement,
    signal: AbortSignal
  ) {
    const [out, into, whole] = [button('\u2212', 'zoom out'), button('+', 'zoom in'), button('0', 'whole picture')];
    this.el = h('div', { class: 'nl-zoom' }, out, into, whole);
    out.addEventListener('click', () => this.by(0.8), { signal });
    into.addEventListener('click', () => this.by(1.25), { signal });
    whole.addEventListener('click', () => this.reset(), { signal });
    svg.addEventListener('wheel', event => this.wheel(event), { signal, passive: false });
    svg.addEventListener('pointerdown', event => this.down(event), { signal });
    svg.addEventListener('pointermove', event => this.move(event), { signal });
    const up = (event: PointerEvent): void => {
      if (this.from?.moved) {
        svg.releasePointerCapture(event.pointerId);
        swallowClick(svg, signal);
      }
      this.from = null;
    };
    svg.addEventListener('pointerup', up, { signal });
    svg.addEventListener('pointercancel', up, { signal });
  }

  /** Zoom by a factor around a point of the page, or around the middle. */
  by(factor: number, at?: { clientX: number; clientY: number }): void {
    const { x, y, width, height } = this.svg.viewBox.baseVal;
    const box = this.svg.getBoundingClientRect();
    const px = at ? x + ((at.clientX - box.left) / (box.width || 1)) * width : x + width / 2;
    const py = at ? y + ((at.clientY - box.top) / (box.height || 1)) * height : y + height / 2;
    const k = Math.max(1, Math.min(MOST, this.k * factor));
    this.set(k, px - ((px - this.x) * k) / this.k, py - ((py - this.y) * k) / this.k);
  }

  reset(): void {
    this.set(1, 0, 0);
  }

  private set(k: number, x: number, y: number): void {
    const view = this.svg.viewBox.baseVal;
    // Never so far that ground shows beside the picture.
    const within = (value: number, start: number, size: number): number =>
      Math.min(start * (1 - k), Math.max((start + size) * (1 - k), value));
    this.k = k < 1.001 ? 1 : k;
    this.x = this.k === 1 ? 0 : within(x, view.x, view.width);
    this.y = this.k === 1 ? 0 : within(y, view.y, view.height);
    if (this.k === 1) {
      this.layer.removeAttribute('transform');
    } else {
      this.layer.setAttribute('transform', `translate(${short(this.x)} ${short(this.y)}) scale(${this.k.toFixed(4)})`);
    }
    this.svg.classList.toggle('nl-zoomed', this.k > 1);
    this.onChange();
  }

  private wheel(event: WheelEvent): void {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.by(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.002)), event);
    }
  }

  private down(event: PointerEvent): void {
    if (this.k > 1 && event.button === 0 && !event.shiftKey) {
      this.from = { id: event.pointerId, x: event.clientX, y: event.clientY, moved: false };
    }
  }

  private move(event: PointerEvent): void {
    const { from } = this;
    if (!from || event.pointerId !== from.id) {
      return;
    }
    const dx = event.clientX - from.x;
    const dy = event.clientY - from.y;
    if (!from.moved && Math.hypot(dx, dy) < 4) {
      return;
    }
    if (!from.moved) {
      from.moved = true;
      this.svg.setPointerCapture(from.id);
    }
    from.x = event.clientX;
    from.y = event.clientY;
    const scale = this.svg.viewBox.baseVal.width / (this.svg.getBoundingClientRect().width || 1);
    this.set(this.k, this.x + dx * scale, this.y + dy * scale);
  }
}
