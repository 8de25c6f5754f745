// What the workbench does for a person: runs lines in the kernel, and shows them, so that clicking teaches typing.

import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal, type ISignal } from '@lumino/signaling';
import { kept, type Done } from './done';
import type { KernelLink } from './link';
import { Refusal } from './link';
import { LOAD, magic } from './lines';
import type { Links } from './links';

export class Acts {
  private done: Done[] = [];
  private n = 0;
  private _changed = new Signal<this, void>(this);

  constructor(
    private links: Links,
    private trans: TranslationBundle
  ) {
    links.acted.connect((_, { kernel, act, line, lab, said, error, hint }) => {
      // Two notebooks with one kernel hear of it twice.
      if (!this.done.some(each => each.kernel === kernel && each.act === act)) {
        const entry = this.note(magic(line), false, kernel);
        Object.assign(entry, { act, lab });
        this.settle(entry, error || said, hint, !!error);
      }
    });
  }

  /** What was done in the active notebook's kernel, the newest first. */
  get shown(): Done[] {
    const kernel = this.links.active?.kernel.id ?? '';
    return this.done.filter(each => each.kernel === kernel);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Run a line in the active notebook's kernel. Resolves to whether that went well. */
  async run(line: string, link: KernelLink | null = this.links.active): Promise<boolean> {
    const entry = this.note(magic(line), true, link?.kernel.id, link?.state?.lab?.started);
    try {
      if (!link) {
        throw new Refusal(this.trans.__('There is no kernel.'));
      }
      const { said, lab } = await link.ask('run', { line });
      entry.lab = lab || entry.lab; // a line may end a lab, or begin one
      return this.settle(entry, said, '', false);
    } catch (e) {
      const gone = this.trans.__('The kernel has gone away.');
      const refused = e instanceof Refusal ? e : new Refusal(String(e));
      return this.settle(entry, refused.message || gone, refused.hint, true);
    }
  }

  /** Run natslab's first line, which no natslab is there to run yet: as code in the kernel. */
  async load(panel: NotebookPanel | null = this.links.panel): Promise<boolean> {
    const kernel = panel?.sessionContext.session?.kernel;
    const entry = this.note(LOAD, true, kernel?.id);
    if (!kernel) {
      return this.settle(entry, this.trans.__('There is no kernel.'), '', true);
    }
    const reply = (await kernel.requestExecute({ code: LOAD, store_history: false }).done).content;
    const failed = reply.status !== 'ok';
    const name = failed && 'ename' in reply ? `${reply.ename}: ${reply.evalue}` : '';
    const hint = failed ? this.trans.__('natslab is to be installed where the kernel runs: %1', 'pip install natslab') : '';
    return this.settle(entry, name, hint, failed);
  }

  /** A line that something else did, e.g. a view that moved beside the notebook. */
  tell(line: string): void {
    const { active } = this.links;
    this.note(magic(line), false, active?.kernel.id, active?.state?.lab?.started);
  }

  /** Put lines into a new cell below the active one, without running it. */
  insert(text: string, run = false): void {
    const { panel } = this.links;
    if (!panel) {
      return;
    }
    const { content, context } = panel;
    const { activeCell } = content;
    // A cell that is empty is as good as a new one.
    if (!activeCell || activeCell.model.type !== 'code' || activeCell.model.sharedModel.source.trim()) {
      NotebookActions.insertBelow(content);
    }
    content.activeCell?.model.sharedModel.setSource(text);
    void content.scrollToItem(content.activeCellIndex).catch(() => undefined);
    if (run) {
      void NotebookActions.run(content, context.sessionContext);
    }
  }

  async copy(text: string): Promise<void> {
    await navigator.clipboard.writeText(text);
  }

  private note(line: string, running: boolean, kernel = '', lab = 0): Done {
    const entry: Done = { n: ++this.n, line, kernel, lab, running, said: '', hint: '', failed: false };
    this.done = kept([entry, ...this.done]);
    this._changed.emit();
    return entry;
  }

  private settle(entry: Done, said: string, hint: string, failed: boolean): boolean {
    Object.assign(entry, { running: false, said, hint, failed });
    this._changed.emit();
    return !failed;
  }
}
