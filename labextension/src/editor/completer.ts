// Completions of lines of ours, from the kernel's tree of verbs and from what its lab knows; also while a cell runs.

import { ContextCompleterProvider, KernelCompleterProvider, type CompletionHandler, type ICompletionContext, type ICompletionProvider } from '@jupyterlab/completer';
import { NotebookPanel } from '@jupyterlab/notebook';
import { natsIcon } from '../panel/icons';
import type { KernelLink } from '../panel/link';
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

type Reply = CompletionHandler.ICompletionItemsReply;

export class Completions implements ICompletionProvider {
  readonly identifier = 'natslab';
  readonly rank = 700; // before the kernel's own, which says the same with fewer words
  readonly renderer = null;
  private replies = new WeakMap<CompletionHandler.IRequest, Promise<Reply>>();

  constructor(private links: Links) {
    this.goFirst();
  }

  async isApplicable({ widget, editor }: ICompletionContext): Promise<boolean> {
    return !!editor && widget instanceof NotebookPanel && this.links.of(widget)?.phase === 'live';
  }

  /** What one question, which all providers are asked, gets from us. */
  fetch(request: CompletionHandler.IRequest, { widget }: ICompletionContext): Promise<Reply> {
    const known = this.replies.get(request);
    const reply = known ?? this.find(request, widget instanceof NotebookPanel ? this.links.of(widget) : null);
    this.replies.set(request, reply);
    return reply;
  }

  private async find({ text, offset }: CompletionHandler.IRequest, link: KernelLink | null): Promise<Reply> {
    const nothing = { start: offset, end: offset, items: [] };
    const { line, column, before } = placeOf(text, offset);
    if (link?.phase !== 'live' || !ours(text, before)) {
      return nothing;
    }
    const { items, from } = await link.ask('complete', { cell: text, line, column });
    return {
      start: offset - column + from,
      end: offset,
      items: items.map(({ text: label, says }) => ({ label, type: says, documentation: says, icon: natsIcon }))
    };
  }

  /**
   * JupyterLab shows nothing before every provider has answered, and a kernel whose cell runs does not. What we
   * know, the kernel need not be asked; and words that merely stand in the notebook are not meant then.
   */
  private goFirst(): void {
    const own = (request: CompletionHandler.IRequest, context: ICompletionContext) => this.fetch(request, context);
    for (const other of [KernelCompleterProvider.prototype, ContextCompleterProvider.prototype]) {
      const fetch = other.fetch;
      other.fetch = async function (request: CompletionHandler.IRequest, context: ICompletionContext) {
        const known = await own(request, context).catch(() => null);
        return known?.items.length ? { ...known, items: [] } : fetch.call(this as never, request, context);
      };
    }
  }
}
