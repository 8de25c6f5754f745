// A wrong verb, flag or value is underlined before it is run: the kernel's tree of verbs says so, a moment after the
// last key. The word at the cursor is not finished and is left alone.

import { StateEffect, StateField, type EditorState, type Extension } from '@codemirror/state';
import { Decoration, EditorView, ViewPlugin, type ViewUpdate } from '@codemirror/view';
import type { KernelLink } from '../panel/link';
import type { Complaint } from '../panel/wire';
import { concerns } from './marks';

const PAUSE = 400; // ms after the last key
const wrong = Decoration.mark({ class: 'cm-nats-wrong' });

/** What is complained of, at its place in the document. */
export interface Found {
  from: number;
  to: number;
  what: string;
  hint: string;
}

const setFound = StateEffect.define<Found[]>();

export const complaints = StateField.define<Found[]>({
  create: () => [],
  update(found, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(setFound)) {
        return effect.value;
      }
    }
    if (!transaction.docChanged || !found.length) {
      return found;
    }
    const { changes } = transaction;
    return found
      .filter(({ from, to }) => !changes.touchesRange(from, to))
      .map(one => ({ ...one, from: changes.mapPos(one.from), to: changes.mapPos(one.to) }));
  },
  provide: field =>
    EditorView.decorations.compute([field, 'selection'], state => Decoration.set(shown(state).map(({ from, to }) => wrong.range(from, to))))
});

/** Those that are underlined now. */
export function shown(state: EditorState): Found[] {
  const { head } = state.selection.main;
  return state.field(complaints).filter(({ from, to }) => from < to && !(head > from && head <= to));
}

/** A kernel's complaints as places of the document that they are about; what does not fit is left out. */
export function placed(state: EditorState, found: Complaint[]): Found[] {
  const { doc } = state;
  return found.flatMap(({ line, from, to, what, hint }) => {
    if (line + 1 > doc.lines) {
      return [];
    }
    const { from: start, length } = doc.line(line + 1);
    return to <= length && from < to ? [{ from: start + from, to: start + to, what, hint }] : [];
  });
}

/** `kernel` says who answers for an editor; `news` calls when that may have changed. */
export function checking(kernel: (view: EditorView) => KernelLink | null, news: (heard: () => void) => () => void): Extension {
  const plugin = ViewPlugin.fromClass(
    class {
      private timer = 0;
      private asked: KernelLink | null = null; // who has been asked about this text
      private end: () => void;

      constructor(private view: EditorView) {
        this.end = news(() => this.ask());
        this.later();
      }

      update(update: ViewUpdate): void {
        if (update.docChanged) {
          this.asked = null;
          this.later();
        }
      }

      destroy(): void {
        clearTimeout(this.timer);
        this.end();
      }

      private later(): void {
        clearTimeout(this.timer);
        this.timer = window.setTimeout(() => this.ask(), PAUSE);
      }

      private ask(): void {
        const { view } = this;
        const { doc } = view.state;
        const link = doc.length && concerns(doc) ? kernel(view) : null;
        if (!link || link === this.asked) {
          if (!link && view.state.field(complaints).length) {
            this.put([]);
          }
          return;
        }
        if (link.phase !== 'live') {
          return;
        }
        this.asked = link;
        link
          .ask('check', { cell: doc.toString() })
          .then(({ found }) => {
            // What was typed meanwhile is asked about by itself.
            if (view.state.doc.eq(doc)) {
              this.put(placed(view.state, found));
            }
          })
          .catch(() => {
            this.asked = null; // it went away, or will be asked again
          });
      }

      private put(found: Found[]): void {
        if (found.length || this.view.state.field(complaints).length) {
          this.view.dispatch({ effects: setFound.of(found) });
        }
      }
    }
  );
  return [complaints, plugin];
}
