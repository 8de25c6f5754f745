// What a host may wish of every stage: no motion, larger type. A page that wishes nothing says nothing.

const CALM = '(prefers-reduced-motion: reduce)';
const NEWS = 'natslab:wishes'; // an event on the document: they have changed

export class Wishes {
  private system = matchMedia(CALM);

  constructor(changed: () => void, signal: AbortSignal) {
    this.system.addEventListener('change', changed, { signal });
    document.addEventListener(NEWS, changed, { signal });
  }

  /** Whether motion is unwanted. */
  get calm(): boolean {
    return this.system.matches || document.body.dataset.natslabMotion === 'reduced';
  }

  /** How much larger than usual type should be. */
  get scale(): number {
    const wished = parseFloat(document.documentElement.style.getPropertyValue('--natslab-scale'));
    return wished > 0 ? wished : 1;
  }
}
