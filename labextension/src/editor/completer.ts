// Completions of lines of ours, from the kernel's tree of verbs and from what its lab knows; also while a cell runs.

import { CompletionTriggerKind, type CompletionHandler, type ICompletionContext, type ICompletionProvider } from '@jupyterlab/completer';
import { NotebookPanel } from '@jupyterlab/notebook';
import { natsIcon } from '../panel/icons';
import type { Links } from '../panel/links';
import { magicOf } from './words';

const SCRIPT = /^\s*%%nats\s+script\b/;

/** The line and the column of a place in a text, from 0. */
export function placeOf(text: string, offset: number): { line: number; column: number; before: string } {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  return { line: text.slice(0, start).split('\n').length - 1, column: offset - start, before: text.slice(start, offset) };
}

/** Whether the words before the cursor are of a line of ours. */
export function ours(text: string, before: string): boolean {
  const magic = magicOf(before);
  return magic ? before.length > magic.start : SCRIPT.test(text) && !before.trimStart().startsWith('%');
}

export class Completions implements ICompletionProvider {
  readonly identifier = 'natslab';
  readonly rank = 700; // before the kernel's own, which says the same with fewer words
  readonly renderer = null;

  constructor(private links: Links) {}

  async isApplicable({ widget, editor }: ICompletionContext): Promise<boolean> {
    return !!editor && widget instanceof NotebookPanel && this.links.of(widget)?.phase === 'live';
  }

  async fetch(
    { text, offset }: CompletionHandler.IRequest,
    { widget }: ICompletionContext,
    _: CompletionTriggerKind = CompletionTriggerKind.Invoked
  ): Promise<CompletionHandler.ICompletionItemsReply> {
    const nothing = { start: offset, end: offset, items: [] };
    const { line, column, before } = placeOf(text, offset);
    const link = widget instanceof NotebookPanel ? this.links.of(widget) : null;
    if (!link || !ours(text, before)) {
      return nothing;
    }
    const { items, from } = await link.ask('complete', { cell: text, line, column });
    return {
      start: offset - column + from,
      end: offset,
      items: items.map(({ text: label, says }) => ({ label, type: says, documentation: says, icon: natsIcon }))
    };
  }
}
