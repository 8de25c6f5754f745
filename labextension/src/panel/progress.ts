// How far a lesson has come: of its code cells those that ran as they should, as its own metadata say.

import type { INotebookContent } from '@jupyterlab/nbformat';

export interface Progress {
  done: number;
  of: number;
}

/** A lesson is a notebook whose name begins with its number. */
export function isLesson(path: string): boolean {
  return /(^|\/)\d\d-[\w-]+\.ipynb$/.test(path);
}

/** 01-publish-subscribe.ipynb -> 01 Publish subscribe */
export function titleOf(name: string): string {
  const [number, ...words] = name.replace(/\.ipynb$/, '').split('-');
  const text = words.join(' ');
  return `${number} ${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

/** Whether a cell did what it should: some are there to fail. */
export function ranWell(success: boolean, tags: unknown): boolean {
  return success || (Array.isArray(tags) && tags.includes('raises-exception'));
}

/** Of the cells that came with a lesson, which begin with its number; who tries things out adds others, as Jupyter names them. */
export function progressOf(notebook: Pick<INotebookContent, 'cells' | 'metadata'>, path: string): Progress {
  const own = `${path.slice(folderOf(path).length).slice(0, 2)}-`;
  const ids = notebook.cells
    .filter(({ cell_type, id }) => cell_type === 'code' && String(id).startsWith(own))
    .map(cell => cell.id);
  const kept = (notebook.metadata as { natslab?: { ran?: unknown } }).natslab?.ran;
  const ran = new Set(Array.isArray(kept) ? kept : []);
  return { done: ids.filter(id => ran.has(id)).length, of: ids.length };
}
