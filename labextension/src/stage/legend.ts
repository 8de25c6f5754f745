// The legend's entries as filters: which marks an entry stands for.

import type { Item } from './marks';
import type { Mark } from './wire';

/** Classes that say what a mark is; the others only say how it is painted. */
const MEANING = new Set(
  'stored flight done retry dead inferred bet stale open diff ghost wall odd even'.split(' ')
);
/** Marks that explain the picture are never dimmed. */
const WORDS = new Set(['sentence', 'note']);

function classesOf(mark: Mark): string[] {
  const all = (mark.classes ?? '').split(' ').filter(Boolean);
  return mark.kind === 'group' ? [...all, ...(mark.marks ?? []).flatMap(classesOf)] : all;
}

/** Whether a mark is of the kind that a legend entry shows. */
export function matcher(entry: Mark): (item: Item) => boolean {
  const all = classesOf(entry);
  const meant = all.filter(name => MEANING.has(name));
  const wanted = meant.length ? meant : all;
  return ({ mark }) => {
    if (WORDS.has(mark.key)) {
      return true;
    }
    if (mark.kind === 'group' || !wanted.length) {
      return false;
    }
    const names = new Set((mark.classes ?? '').split(' '));
    return wanted.every(name => names.has(name));
  };
}

/** Whether a mark stays when `keys` light up together. */
export function among(keys: Set<string>): (item: Item) => boolean {
  return item => WORDS.has(item.key) || keys.has(item.key);
}
