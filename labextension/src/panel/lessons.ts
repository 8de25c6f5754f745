// The lessons, and how far somebody has come in each: which of its cells ran as they should for them.

import { NotebookActions, type INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { Contents } from '@jupyterlab/services';
import { Signal, type ISignal } from '@lumino/signaling';
import { folderOf, isLesson, progressOf, ranWell, titleOf, type Progress } from './progress';

const FOLDERS = ['', 'notebooks/']; // where JupyterLab was started, or below
const FIRST = '00-meet-the-lab.ipynb';
const KEY = 'natslab'; // in a notebook's metadata

export interface Lesson {
  path: string;
  title: string;
  progress: Progress | null; // null: not read yet
}

export class Lessons {
  folder: string | null = null;
  list: Lesson[] = [];
  /** Whether it is known what there is. */
  ready = false;
  private read = new Map<string, { modified: string; progress: Progress }>();
  private looking: Promise<void> | null = null;
  private measuring: Promise<void>;
  private _changed = new Signal<this, void>(this);

  /** What takes a while comes after `restored`: a page that is loaded has better things to do. */
  constructor(
    private contents: Contents.IManager,
    private tracker: INotebookTracker,
    restored: Promise<void>
  ) {
    this.measuring = restored;
    NotebookActions.executed.connect((_, { notebook, cell, success }) => {
      const panel = tracker.find(each => each.content === notebook);
      if (panel && cell.model.type === 'code' && ranWell(success, cell.model.getMetadata('tags')) && isLesson(panel.context.path)) {
        this.ran(panel, cell.model.id);
      }
    });
    contents.fileChanged.connect((_, { newValue, oldValue }) => {
      if (this.ready && [newValue, oldValue].some(file => file?.path && isLesson(file.path))) {
        void this.look();
      }
    });
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Find out what there is. How far somebody is comes later, one lesson at a time. */
  async look(): Promise<void> {
    this.looking ??= this.search().finally(() => (this.looking = null));
    return this.looking;
  }

  private async search(): Promise<void> {
    for (const folder of FOLDERS) {
      const found = await this.contents.get(folder + FIRST, { content: false }).catch(() => null);
      if (found) {
        this.folder = folder;
        break;
      }
    }
    if (this.folder !== null) {
      const listed = await this.contents.get(this.folder).catch(() => null);
      if (!listed) {
        return; // the server could not say: what was known stays
      }
      const files = (listed.content as Contents.IModel[]).filter(({ path }) => isLesson(path));
      files.sort((a, b) => a.name.localeCompare(b.name));
      this.list = files.map(({ path, name, last_modified }) => {
        const known = this.read.get(path);
        return { path, title: titleOf(name), progress: known?.modified === last_modified ? known.progress : null };
      });
      this.measuring = this.measuring.then(async () => {
        for (const file of files) {
          await this.measure(file);
        }
      });
    }
    this.ready = true;
    this._changed.emit();
  }

  private async measure({ path, last_modified }: Contents.IModel): Promise<void> {
    const open = this.tracker.find(panel => panel.context.path === path);
    if (this.read.get(path)?.modified !== last_modified || open) {
      const notebook = open?.context.isReady
        ? (open.context.model.toJSON() as unknown)
        : ((await this.contents.get(path).catch(() => null))?.content as unknown);
      if (notebook) {
        this.read.set(path, { modified: last_modified, progress: progressOf(notebook as INotebookContent, path) });
      }
    }
    this.show(path, this.read.get(path)?.progress ?? null);
  }

  private show(path: string, progress: Progress | null): void {
    const lesson = this.list.find(each => each.path === path);
    if (lesson && progress && JSON.stringify(lesson.progress) !== JSON.stringify(progress)) {
      lesson.progress = progress;
      this._changed.emit();
    }
  }

  /** A cell ran well: that is kept in the notebook itself, which goes where the learner's copy goes. */
  private ran(panel: NotebookPanel, id: string): void {
    const { model } = panel.context;
    const kept = (model.getMetadata(KEY) ?? {}) as { ran?: string[] };
    if (!kept.ran?.includes(id)) {
      model.setMetadata(KEY, { ...kept, ran: [...(kept.ran ?? []), id] });
    }
    const folder = folderOf(panel.context.path);
    if (this.folder === null || folder === this.folder) {
      this.show(panel.context.path, progressOf(model.toJSON() as unknown as INotebookContent, panel.context.path));
    }
  }
}
