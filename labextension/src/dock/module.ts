// The stage that the kernel's natslab brings: imported once for all places that show it.

import type { Model } from '../stage/wire';

interface StageModule {
  default: { render(props: { model: Model; el: HTMLElement; signal?: AbortSignal }): () => void };
}

const known = new Map<string, Promise<StageModule>>();

export function stageModule(esm: string): Promise<StageModule> {
  let found = known.get(esm);
  if (!found) {
    const url = URL.createObjectURL(new Blob([esm], { type: 'text/javascript' }));
    found = (import(/* webpackIgnore: true */ url) as Promise<StageModule>).finally(() => URL.revokeObjectURL(url));
    known.clear(); // of another natslab, if any
    known.set(esm, found);
  }
  return found;
}
