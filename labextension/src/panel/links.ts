// Every open notebook's kernel, and which of them the workbench shows: the active notebook's.

import type { ISessionContext } from '@jupyterlab/apputils';
import { NotebookActions, type INotebookTracker, type Notebook, type NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import { Signal, type ISignal } from '@lumino/signaling';
import { KernelLink } from './link';
import type { Acted, Dock } from './wire';

/** A view was asked for beside this notebook. */
export interface DockFor extends Dock {
  panel: NotebookPanel;
}

/** A click in a view was done in this kernel. */
export interface ActedIn extends Acted {
  kernel: string;
}

interface Bound {
  link: KernelLink | null;
  end: () => void;
}

export class Links {
  hz = 2;
  private bound = new Map<NotebookPanel, Bound>();
  private shown: KernelLink | null = null;
  private running = new Map<Notebook, number>(); // cells that were handed to the kernel and have not ended
  private _changed = new Signal<this, void>(this);
  private _docked = new Signal<this, DockFor>(this);
  private _acted = new Signal<this, ActedIn>(this);
  private _anyChanged = new Signal<this, void>(this);
  private _phased = new Signal<this, void>(this);

  /** `page` names this page of the browser, as soon as it is known. */
  constructor(
    private tracker: INotebookTracker,
    private page: Promise<string>
  ) {
    tracker.forEach(panel => this.bind(panel));
    tracker.widgetAdded.connect((_, panel) => this.bind(panel));
    tracker.currentChanged.connect(() => this.show());
    document.addEventListener('visibilitychange', () => this.show());
    // A page that goes says so; the kernel would go on drawing for it.
    window.addEventListener('pagehide', () => this.bound.forEach(({ link }) => link?.dispose()));
    NotebookActions.executionScheduled.connect((_, { notebook }) => this.runs(notebook, 1));
    NotebookActions.executed.connect((_, { notebook }) => this.runs(notebook, -1));
    this.show();
  }

  /** The active notebook's link changed, or another notebook is active. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Some notebook's kernel changed, or notebooks came or went. */
  get anyChanged(): ISignal<this, void> {
    return this._anyChanged;
  }

  /** Some kernel came, went, or got its natslab. */
  get phased(): ISignal<this, void> {
    return this._phased;
  }

  get docked(): ISignal<this, DockFor> {
    return this._docked;
  }

  get acted(): ISignal<this, ActedIn> {
    return this._acted;
  }

  /** The active notebook. */
  get panel(): NotebookPanel | null {
    return this.tracker.currentWidget;
  }

  /** The active notebook's kernel; null where there is none. */
  get active(): KernelLink | null {
    const { panel } = this;
    return panel ? this.of(panel) : null;
  }

  /** Whether cells of the active notebook run. A kernel's own status is that of the last who talked to it. */
  get busy(): boolean {
    const { panel } = this;
    return !!panel && (this.running.get(panel.content) ?? 0) > 0;
  }

  /** The kernel of a notebook. */
  of(panel: NotebookPanel): KernelLink | null {
    return this.bound.get(panel)?.link ?? null;
  }

  /** The notebook whose page shows this element. */
  holding(el: Node): NotebookPanel | null {
    return this.tracker.find(panel => panel.node.contains(el)) ?? null;
  }

  /** The open notebook of that path. */
  at(path: string): NotebookPanel | null {
    return this.tracker.find(panel => panel.context.path === path) ?? null;
  }

  /** Snapshots a second, at most. */
  pace(hz: number): void {
    this.hz = hz;
    this.shown?.watch(!document.hidden, hz);
  }

  private bind(panel: NotebookPanel): void {
    if (this.bound.has(panel)) {
      return;
    }
    const { sessionContext } = panel;
    const bound: Bound = { link: null, end: () => undefined };
    this.bound.set(panel, bound);
    const follow = (kernel: Kernel.IKernelConnection | null): void => {
      if (bound.link?.kernel === kernel) {
        return;
      }
      bound.link?.dispose();
      bound.link = null;
      if (kernel) {
        const link = (bound.link = new KernelLink(
          kernel,
          this.page.then(page => `${page}/${panel.context.path}`)
        ));
        let phase = link.phase;
        link.changed.connect(() => {
          if (link.phase !== phase) {
            phase = link.phase;
            this._phased.emit();
          }
          if (link.phase === 'lost' || link.phase === 'dead') {
            this.running.delete(panel.content);
          }
          if (link === this.shown) {
            this._changed.emit();
          }
          this._anyChanged.emit();
        });
        link.acted.connect((_, acted) => this._acted.emit({ ...acted, kernel: kernel.id }));
        link.docked.connect((_, dock) => this._docked.emit({ ...dock, panel }));
      }
      this.show();
    };
    const changed = (context: ISessionContext): void => follow(context.session?.kernel ?? null);
    sessionContext.kernelChanged.connect(changed);
    sessionContext.sessionChanged.connect(changed);
    bound.end = () => {
      sessionContext.kernelChanged.disconnect(changed);
      sessionContext.sessionChanged.disconnect(changed);
      bound.link?.dispose();
    };
    panel.disposed.connect(() => {
      bound.end();
      this.running.delete(panel.content);
      this.bound.delete(panel);
      this.show();
    });
    changed(sessionContext);
  }

  private runs(notebook: Notebook, by: number): void {
    const count = Math.max(0, (this.running.get(notebook) ?? 0) + by);
    if (count) {
      this.running.set(notebook, count);
    } else {
      this.running.delete(notebook);
    }
    if (notebook === this.panel?.content && count <= 1) {
      this._changed.emit();
    }
  }

  /** Only the one that is looked at sends news. */
  private show(): void {
    const { active } = this;
    if (this.shown !== active) {
      this.shown?.watch(false, this.hz);
      this.shown = active;
    }
    active?.watch(!document.hidden, this.hz);
    this._changed.emit();
    this._anyChanged.emit();
  }
}
