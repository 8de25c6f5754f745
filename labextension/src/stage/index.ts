// The stage as an anywidget module: draws any Scene, knows nothing of NATS.

import { Stage } from './stage';
import type { Model } from './wire';

interface RenderProps {
  model: Model;
  el: HTMLElement;
  signal?: AbortSignal;
}

function render({ model, el, signal }: RenderProps): () => void {
  const end = new AbortController();
  const stage = new Stage(model, el, end.signal);
  const stop = (): void => {
    if (!end.signal.aborted) {
      end.abort();
      stage.el.remove();
    }
  };
  signal?.addEventListener('abort', stop, { once: true, signal: end.signal });
  return stop;
}

export default { render };
