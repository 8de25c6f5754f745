// What every part of the panel needs: words, deeds, and what is remembered.

import type { TranslationBundle } from '@jupyterlab/translation';
import { createContext, useContext } from 'react';
import type { Acts } from './acts';
import type { KernelLink } from './link';
import type { Lessons } from './lessons';
import type { Links } from './links';
import type { Memory } from './page';

export interface Kit {
  trans: TranslationBundle;
  acts: Acts;
  links: Links;
  lessons: Lessons;
  memory: Memory;
  /** Do a command of JupyterLab. */
  command(id: string, args?: Record<string, string | string[]>): void;
  /** Whether there is a place beside the notebook. */
  docks: boolean;
}

const Context = createContext<Kit | null>(null);
export const KitProvider = Context.Provider;

export function useKit(): Kit {
  const kit = useContext(Context);
  if (!kit) {
    throw new Error('The panel is not set up.');
  }
  return kit;
}

/** The kernel that the panel shows; only where it is live. */
export function useLink(): KernelLink {
  const link = useKit().links.active;
  if (!link) {
    throw new Error('No kernel is shown.');
  }
  return link;
}
