// Where a view goes beside its notebook.

export const SIDES = ['right', 'left', 'bottom', 'top', 'tab'] as const;
export type Side = (typeof SIDES)[number];

export type Mode = 'split-right' | 'split-left' | 'split-bottom' | 'split-top' | 'tab-after';

/** What JupyterLab is asked for: a mode, relative to a widget. */
export interface Place {
  mode: Mode;
  ref: string;
}

const MODES: Record<Side, Mode> = {
  right: 'split-right',
  left: 'split-left',
  bottom: 'split-bottom',
  top: 'split-top',
  tab: 'tab-after'
};

export function isSide(text: unknown): text is Side {
  return SIDES.includes(text as Side);
}

/**
 * The first view on a side splits the notebook, the second the first one; more are tabs of the second,
 * so that none becomes too small. `others` are the ids of the views on that side, the oldest first.
 */
export function place(side: Side, notebook: string, others: string[]): Place {
  const last = others[others.length - 1];
  if (side === 'tab' || last === undefined) {
    return { mode: MODES[side], ref: notebook };
  }
  if (others.length === 1) {
    return { mode: side === 'right' || side === 'left' ? 'split-bottom' : 'split-right', ref: last };
  }
  return { mode: 'tab-after', ref: last };
}

/** The same view of the same notebook has the same name. */
export function nameOf(path: string, view: string, of: string[]): string {
  return `natslab-dock:${JSON.stringify([path, view, ...of])}`;
}
